load "common.gnuplot"
set output directory . "/threads.svg"
set title "Calls by several threads, 48 bytes"
set xlabel "threads"
set ylabel "calls a second, by one thread's"
set logscale x 2
set yrange [0:*]
plot work . "/threads.go.64" with linespoints title "C to Go, 64 slots", \
     work . "/threads.go.4" with linespoints title "C to Go, 4 slots", \
     work . "/threads.c.64" with linespoints title "C to C, 64 slots", \
     work . "/threads.c.4" with linespoints title "C to C, 4 slots"
