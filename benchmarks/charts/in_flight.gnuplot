load "common.gnuplot"
set output directory . "/in_flight.svg"
set title "Calls in flight from one thread, 48 bytes"
set xlabel "calls in flight"
set ylabel "time of a call, by the bare limit"
set logscale x 2
set yrange [0:*]
plot work . "/in_flight.go" using 1:2:3 with yerrorlines title "C to Go", \
     work . "/in_flight.c" using 1:2:3 with yerrorlines title "C to C"
