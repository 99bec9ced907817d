module github.com/libshmipc/libshmipc/tests/examples/bad_guest

go 1.21

require github.com/libshmipc/libshmipc/go v0.0.0

replace github.com/libshmipc/libshmipc/go => ../../../go
