// Outside is a program of somebody else's that uses the package.
package main

import (
	"fmt"

	shmipc "github.com/libshmipc/libshmipc/go"
)

func main() {
	fmt.Println(shmipc.Version)
}
