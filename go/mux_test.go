//go:build linux || (windows && (amd64 || arm64))

package shmipc

import (
	"errors"
	"math"
	"testing"
)

// saying is a handler that answers with this text.
func saying(text string) Handler {
	return func(_ *Request, response *Response) error {
		_, err := response.Write([]byte(text))
		return err
	}
}

func TestMuxChoosesTheHandlerByType(t *testing.T) {
	bothBackings(t, smallShape, func(t *testing.T, h *testHost) {
		var mux Mux
		mux.Handle(TypeNormal, saying("normal"))
		mux.Handle(TypeApplication, saying("replaced"))
		mux.Handle(TypeApplication, saying("application"))
		mux.Handle(math.MaxUint32, saying("last"))
		mux.Otherwise(saying("replaced"))
		mux.Otherwise(saying("otherwise"))
		serveWith(t, h.attach(nil), mux.Dispatch)
		for kind, want := range map[uint32]string{
			TypeNormal: "normal", TypeApplication: "application", math.MaxUint32: "last",
			TypeFlatBuffer: "otherwise", TypeApplication + 1: "otherwise",
		} {
			if m, err := h.call(0, kind, nil); err != nil || string(m.Data) != want {
				t.Errorf("type %d: %q, %v", kind, m.Data, err)
			}
		}
	})
}

func TestMuxRefusesTypesWithoutAHandler(t *testing.T) {
	var empty, mux Mux
	mux.Handle(TypeApplication, echoHandler)
	for name, m := range map[string]*Mux{"empty": &empty, "with another handler": &mux} {
		t.Run(name, func(t *testing.T) {
			h := newHeapHost(t, smallShape)
			serveWith(t, h.attach(nil), m.Dispatch)
			for kind, want := range map[uint32]string{
				TypeNormal:     "no handler for message type 0",
				math.MaxUint32: "no handler for message type 4294967295",
			} {
				_, err := h.call(0, kind, []byte("x"))
				wantError(t, err, ErrHandler)
				var e *Error
				if !errors.As(err, &e) || e.Message != want {
					t.Errorf("type %d: %v", kind, err)
				}
			}
		})
	}
}

func TestMuxPassesOnWhatItsHandlerReturns(t *testing.T) {
	var mux Mux
	mine := errors.New("mine")
	mux.Handle(TypeApplication, func(*Request, *Response) error { return mine })
	if err := mux.Dispatch(&Request{Type: TypeApplication}, &Response{}); err != mine {
		t.Fatal(err)
	}
}

func TestMuxPanicsOnNilHandlers(t *testing.T) {
	var mux Mux
	for name, register := range map[string]func(){
		"Handle":    func() { mux.Handle(TypeNormal, nil) },
		"Otherwise": func() { mux.Otherwise(nil) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s does not panic", name)
				}
			}()
			register()
		}()
	}
}

func TestMuxAllocatesNothing(t *testing.T) {
	var mux Mux
	for kind := TypeApplication; kind < TypeApplication+100; kind++ {
		mux.Handle(kind, echoHandler)
	}
	mux.Otherwise(echoHandler)
	request, response := Request{Data: []byte("data")}, Response{buffer: make([]byte, 64)}
	for _, kind := range []uint32{TypeApplication + 50, TypeNormal} {
		request.Type = kind
		n := testing.AllocsPerRun(1000, func() {
			response.length = 0
			if err := mux.Dispatch(&request, &response); err != nil {
				t.Fatal(err)
			}
		})
		if n != 0 {
			t.Errorf("type %d: %v allocations", kind, n)
		}
	}
}
