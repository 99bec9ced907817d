# What all charts share. Colours that people with any colour vision can tell apart.
set terminal svg size 760,420 dynamic font "sans-serif,13" background rgb "white"
set linetype 1 linewidth 2 pointtype 7 linecolor rgb "#0072b2"
set linetype 2 linewidth 2 pointtype 5 linecolor rgb "#d55e00"
set linetype 3 linewidth 2 pointtype 9 linecolor rgb "#009e73"
set linetype 4 linewidth 2 pointtype 11 linecolor rgb "#cc79a7"
set grid linecolor rgb "#dddddd"
set border 3
set tics nomirror
set key outside right top reverse Left
set label 1 processor at screen 0.995,0.03 right font ",10" textcolor rgb "#666666"
