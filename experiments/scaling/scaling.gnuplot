# Called by draw.sh: work is where its data are, output the picture.
load "../../benchmarks/charts/common.gnuplot"
set output output
set multiplot layout 1,2 title "Calls a second, by what callers and processors allow: simulated"
set key inside top right samplen 2
set logscale x 2
set xrange [1.7:75]
set xtics (2, 4, 8, 16, 32, 64)
set yrange [0:1.6]
set xlabel "processors, half as many callers"
set ylabel "share of what is allowed"
target = 0.85
plot target dashtype 2 linecolor rgb "#666666" title "the target", \
     work . "/half.100" using 1:2 with linespoints linetype 1 title "handlers of 100 us", \
     work . "/half.10" using 1:2 with linespoints linetype 3 title "10 us", \
     work . "/half.1" using 1:2 with linespoints linetype 2 title "1 us", \
     work . "/half.0" using 1:2 with linespoints linetype 4 title "0 us, by one worker's"
set xlabel "processors, twice as many callers, up to 64"
unset ylabel
unset key
plot target dashtype 2 linecolor rgb "#666666" title "the target", \
     work . "/twice.100" using 1:2 with linespoints linetype 1, \
     work . "/twice.10" using 1:2 with linespoints linetype 3, \
     work . "/twice.1" using 1:2 with linespoints linetype 2, \
     work . "/twice.0" using 1:2 with linespoints linetype 4
unset multiplot
