//go:build linux || (windows && (amd64 || arm64))

package shmipc

import (
	"context"
	"fmt"
	"testing"
)

func BenchmarkCall(b *testing.B) {
	for _, n := range []int{32, 4096} {
		b.Run(fmt.Sprintf("%dB", n), func(b *testing.B) {
			h := newHost(b, smallShape)
			g := h.attach(nil)
			h.serve(fixedAnswer(n))
			data, buffer := make([]byte, n), make([]byte, n)
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; i < b.N; i++ {
				if _, err := g.Call(context.Background(), Message{Data: data}, buffer); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkSlot calls on a held slot, which saves a claim and a release for each call.
func BenchmarkSlot(b *testing.B) {
	for _, n := range []int{32, 4096} {
		b.Run(fmt.Sprintf("%dB", n), func(b *testing.B) {
			h := newHost(b, smallShape)
			g := h.attach(nil)
			h.serve(fixedAnswer(n))
			ctx := context.Background()
			slot, err := g.Claim(ctx)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; i < b.N; i++ {
				if err := slot.Send(TypeNormal, n, 0); err != nil {
					b.Fatal(err)
				}
				if _, err := slot.Receive(ctx); err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			if err := slot.Release(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// BenchmarkDeadline calls with a deadline, as careful callers do.
func BenchmarkDeadline(b *testing.B) {
	h := newHost(b, smallShape)
	g := h.attach(nil)
	h.serve(fixedAnswer(32))
	ctx, cancel := context.WithTimeout(context.Background(), watchdog)
	defer cancel()
	data, buffer := make([]byte, 32), make([]byte, 32)
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		if _, err := g.Call(ctx, Message{Data: data}, buffer); err != nil {
			b.Fatal(err)
		}
	}
}

// fixedAnswer is a host's handler that allocates nothing of its own.
func fixedAnswer(n int) func(Message) Message {
	answer := Message{Data: make([]byte, n)}
	return func(Message) Message { return answer }
}

func BenchmarkServe(b *testing.B) {
	for _, n := range []int{32, 4096} {
		b.Run(fmt.Sprintf("%dB", n), func(b *testing.B) {
			h := newHost(b, smallShape)
			serveWith(b, h.attach(nil), echoHandler)
			data := make([]byte, n)
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; i < b.N; i++ {
				if _, err := h.send(0, TypeNormal, data).wait(watchdog); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
