module github.com/libshmipc/libshmipc/docs/examples/addin/guest

go 1.21

require (
	github.com/google/flatbuffers v25.12.19+incompatible
	github.com/libshmipc/libshmipc/go v0.1.0
	github.com/libshmipc/libshmipc/go/flatbuffers v0.1.0
)

replace (
	github.com/libshmipc/libshmipc/go => ../../../../go
	github.com/libshmipc/libshmipc/go/flatbuffers => ../../../../go/flatbuffers
)
