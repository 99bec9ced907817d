module github.com/libshmipc/libshmipc/experiments/pause_go/responder

go 1.21
