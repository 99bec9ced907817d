package main

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"sync"
)

// file is one file on its way through the guest, whole or in pieces.
type file struct {
	bytes   uint64
	sha256  hash.Hash
	gzip    *gzip.Writer
	gzipped counter
}

// counter is a writer that only counts.
type counter uint64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

func newFile() *file {
	f := &file{sha256: sha256.New()}
	f.gzip = gzip.NewWriter(&f.gzipped)
	return f
}

func (f *file) add(piece []byte) error {
	f.bytes += uint64(len(piece))
	f.sha256.Write(piece) // never fails
	_, err := f.gzip.Write(piece)
	return err
}

// digest is the answer: the SHA-256, then the gzipped size.
func (f *file) digest() ([]byte, error) {
	if err := f.gzip.Close(); err != nil {
		return nil, err
	}
	return binary.LittleEndian.AppendUint64(f.sha256.Sum(nil), uint64(f.gzipped)), nil
}

// openFiles are those that come in pieces. The pieces of one file come one after another, but
// those of several files come at the same time.
type openFiles struct {
	mu   sync.Mutex
	byID map[uint64]*file
}

func (o *openFiles) begin(id uint64) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.byID[id] != nil {
		return fmt.Errorf("file %d has begun already", id)
	}
	o.byID[id] = newFile()
	return nil
}

func (o *openFiles) find(id uint64) (*file, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if f := o.byID[id]; f != nil {
		return f, nil
	}
	return nil, fmt.Errorf("file %d has not begun", id)
}

func (o *openFiles) end(id uint64) (*file, error) {
	f, err := o.find(id)
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.byID, id)
	return f, err
}
