package shmipc

import "fmt"

// Mux is a handler for each message type: its Dispatch is the Handler for Serve. The zero value is ready to use and has
// no handlers. Register all handlers before the Mux serves; from then on any number of goroutines may dispatch at once,
// and none may register.
type Mux struct {
	handlers  map[uint32]Handler
	otherwise Handler
}

// Handle registers the handler for requests of type kind, in place of an earlier one for that type. A type reserved for
// the library never reaches a handler. Handle panics if handler is nil.
func (m *Mux) Handle(kind uint32, handler Handler) {
	if handler == nil {
		panic(fmt.Sprintf("shmipc: nil handler for message type %d", kind))
	}
	if m.handlers == nil {
		m.handlers = make(map[uint32]Handler)
	}
	m.handlers[kind] = handler
}

// Otherwise registers the handler for requests of all other types, in place of an earlier one. Otherwise panics if
// handler is nil.
func (m *Mux) Otherwise(handler Handler) {
	if handler == nil {
		panic("shmipc: nil handler for all other message types")
	}
	m.otherwise = handler
}

// Dispatch calls the handler for the request's type, and is a Handler itself:
//
//	err := guest.Serve(ctx, mux.Dispatch)
//
// For a type without a handler, if Otherwise was not called, the caller gets ErrHandler with the message "no handler
// for message type N".
func (m *Mux) Dispatch(request *Request, response *Response) error {
	if handler, ok := m.handlers[request.Type]; ok {
		return handler(request, response)
	}
	if m.otherwise != nil {
		return m.otherwise(request, response)
	}
	return fmt.Errorf("no handler for message type %d", request.Type)
}
