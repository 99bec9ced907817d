load "common.gnuplot"
set output directory . "/sizes.svg"
set title "Round trips by size of request and response"
set xlabel "bytes each way"
set ylabel "ns"
set logscale x 2
set logscale y
set xrange [4:*]
plot work . "/sizes.go" with linespoints title "C to Go", \
     work . "/sizes.c" with linespoints title "C to C", \
     work . "/sizes.limit" with linespoints title "as many cache lines"
