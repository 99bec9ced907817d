load "common.gnuplot"
set output directory . "/mixed.svg"
set title "Short calls of 7 threads, alone and beside a handler that takes 1 ms"
set ylabel "ns"
set logscale y
set yrange [10:*]
set style data histograms
set style histogram clustered gap 1
set style fill solid 0.9 border
set boxwidth 0.9
set xtics rotate by -30 scale 0
plot work . "/mixed" using 2:xtic(1) title "p50", "" using 3 title "p99", "" using 4 title "p99.9"
