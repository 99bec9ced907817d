// Command guest reads orders where the host built them, and builds invoices where the host reads them.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/libshmipc/libshmipc/docs/examples/flatbuffers/guest/shop"
	shmipc "github.com/libshmipc/libshmipc/go"
	shmipcfb "github.com/libshmipc/libshmipc/go/flatbuffers"
)

// invoice answers an order. If the request is no FlatBuffer of that kind, reading it panics, and the
// caller gets an error.
func invoice(request *shmipc.Request, response *shmipc.Response) error {
	order := shop.GetRootAsOrder(request.Data, 0)
	things, cents := uint64(0), uint64(0)
	var item shop.Item
	for i := 0; i < order.ItemsLength(); i++ {
		order.Items(&item, i)
		things += uint64(item.Count())
		cents += uint64(item.Count()) * item.Cents()
	}
	if things == 0 {
		return fmt.Errorf("%s orders nothing", order.Customer())
	}

	var b shmipcfb.ResponseBuilder
	b.Begin(response)
	text := b.CreateString(fmt.Sprintf("%d things for %s", things, order.Customer()))
	shop.InvoiceStart(&b.Builder)
	shop.InvoiceAddText(&b.Builder, text)
	shop.InvoiceAddCents(&b.Builder, cents)
	b.Finish(shop.InvoiceEnd(&b.Builder))
	return b.Respond(shmipc.TypeFlatBuffer)
}

func main() {
	name := "flatbuffers"
	if len(os.Args) > 1 {
		name = os.Args[1]
	}
	ctx, cancel := context.WithTimeout(context.Background(), shmipc.DefaultTimeout)
	defer cancel()
	guest, err := shmipc.Attach(ctx, name, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer guest.Close()

	var mux shmipc.Mux // requests of other types fail
	mux.Handle(shmipc.TypeFlatBuffer, invoice)
	err = guest.Serve(context.Background(), mux.Dispatch)
	if !errors.Is(err, shmipc.ErrShutdown) {
		log.Fatal(err)
	}
	fmt.Println("the host has left")
}
