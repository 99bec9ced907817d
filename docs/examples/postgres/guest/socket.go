package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"net"
	"os"
)

const capacity = 65536

// answer reads a request and writes its answer. An error ends the connection.
func answer(client net.Conn, buffer []byte) error {
	var head [8]byte
	if _, err := io.ReadFull(client, head[:]); err != nil {
		return err
	}
	length, kind := binary.LittleEndian.Uint32(head[:]), binary.LittleEndian.Uint32(head[4:])
	if length > capacity || kind != typeUpper {
		return fmt.Errorf("a request of type %d and %d bytes", kind, length)
	}
	if _, err := io.ReadFull(client, buffer[:length]); err != nil {
		return err
	}
	text, err := upper(buffer[:length])
	if err != nil {
		return err
	}
	binary.LittleEndian.PutUint32(buffer, uint32(len(text)))
	_, err = client.Write(append(buffer[:4], text...))
	return err
}

func serve(client net.Conn) {
	defer client.Close()
	buffer := make([]byte, 4+capacity)
	for {
		if err := answer(client, buffer); err != nil {
			if err != io.EOF {
				log.Print(err)
			}
			return
		}
	}
}

// listen serves those who ask through a Unix socket, for comparison.
func listen(path string) {
	_ = os.Remove(path) // a former process's
	listener, err := net.Listen("unix", path)
	if err == nil {
		err = os.Chmod(path, 0o666)
	}
	if err != nil {
		log.Fatal(err)
	}
	for {
		client, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go serve(client)
	}
}
