load "common.gnuplot"
set output directory . "/oversubscribed.svg"
set multiplot layout 1,2 title "More threads than slots: 4 slots, 48 bytes"
set key inside top right
set xlabel "threads"
set logscale x 2
set yrange [0:*]
set ylabel "calls a second, by one thread's"
plot 0.8 dashtype 2 linecolor rgb "#666666" title "target", \
     work . "/oversubscribed.go" using 1:2:3 with yerrorlines linetype 1 title "C to Go", \
     work . "/oversubscribed.c" using 1:2:3 with yerrorlines linetype 2 title "C to C"
unset label 1
set key inside top left
set ylabel "longest time of a thread without an answer, ms"
plot 50 dashtype 2 linecolor rgb "#666666" title "target", \
     work . "/oversubscribed.go" using 1:4 with linespoints linetype 1 title "C to Go", \
     work . "/oversubscribed.c" using 1:4 with linespoints linetype 2 title "C to C"
unset multiplot
