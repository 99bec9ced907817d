// Package handler is the work that every answering side in Go does, whatever brought the request.
package handler

import "io"

// Echo answers the bytes of the request.
func Echo(request []byte, response io.Writer) error {
	_, err := response.Write(request)
	return err
}
