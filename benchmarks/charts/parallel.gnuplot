load "common.gnuplot"
set output directory . "/parallel.svg"
set multiplot layout 1,2 title "Handlers in parallel, by how long one takes"
set key inside top right
set logscale x
set yrange [0:*]
set xlabel "us that the handler computes"
set ylabel "calls a second, by the plain design's"
plot 1 dashtype 2 linecolor rgb "#666666" notitle, \
     work . "/parallel.compute.go.2" using 1:2:3 with yerrorlines linetype 1 title "C to Go, 2 callers", \
     work . "/parallel.compute.go.4" using 1:2:3 with yerrorlines linetype 3 title "C to Go, 4", \
     work . "/parallel.compute.c.2" using 1:2:3 with yerrorlines linetype 2 title "C to C, 2", \
     work . "/parallel.compute.c.4" using 1:2:3 with yerrorlines linetype 4 title "C to C, 4"
unset label 1
set key inside bottom right
set xlabel "us that it sleeps"
set xrange [10:2000]
unset ylabel
plot 1 dashtype 2 linecolor rgb "#666666" notitle, \
     work . "/parallel.asleep.go.8" using 1:2:3 with yerrorlines linetype 1 title "C to Go, 8 callers", \
     work . "/parallel.asleep.go.32" using 1:2:3 with yerrorlines linetype 3 title "C to Go, 32", \
     work . "/parallel.asleep.c.8" using 1:2:3 with yerrorlines linetype 2 title "C to C, 8", \
     work . "/parallel.asleep.c.32" using 1:2:3 with yerrorlines linetype 4 title "C to C, 32"
unset multiplot
