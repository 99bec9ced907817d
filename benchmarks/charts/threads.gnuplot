load "common.gnuplot"
set output directory . "/threads.svg"
set title "Calls by several threads, 48 bytes, 64 slots"
set xlabel "threads"
set ylabel "calls a second, by one thread's"
set logscale x 2
set yrange [0:*]
plot work . "/threads.go" with linespoints title "C to Go", \
     work . "/threads.c" with linespoints title "C to C"
