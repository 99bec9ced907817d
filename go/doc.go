// Package shmipc is the guest's side of libshmipc: calls between processes through shared memory.
//
// A host, written in C or C++ with libshmipc, creates a named region; up to 15 guests attach to
// it. Either side calls the other, and a call of up to 48 bytes is one cache line there and one
// cache line back. Either side may be killed at any instruction and started again; the other goes
// on, and is told of each call whether it had started.
//
//	guest, err := shmipc.Attach(ctx, "demo", nil)
//	if err != nil {
//		return err
//	}
//	defer guest.Close()
//
//	answer, err := guest.Call(ctx, shmipc.Message{Data: []byte("hello")}, nil) // calls the host
//
//	err = guest.Serve(ctx, func(request *shmipc.Request, response *shmipc.Response) error {
//		_, err := response.Write(request.Data) // is called by the host
//		return err
//	})
//
// Run does all this again whenever the host comes back; a Client makes calls that outlive the host's
// restart. In a slot of one's own, of Claim, Send and Receive do without copies, and Call is shortest for a
// goroutine that calls often. A Mux has a handler for each message type.
//
// # Errors
//
// Failures are of type *Error or Code, and errors.Is tells them apart by the constants ErrTimeout
// and so on, which have the names and numbers of the C library. They match the standard library's
// errors of the same meaning too, such as context.DeadlineExceeded. Those named ...Started say
// that a handler had seen the request; the others, that none has and none ever will.
//
// # Contexts
//
// Every operation that may wait takes a context and ends with it. A context without a deadline
// gets Config.Timeout, 10 seconds by default; only Serve, and Run for a host, wait without end.
// A wait may overrun its deadline by the time it spins before it first looks at the clock, some
// 100 microseconds at most. A context that can be cancelled costs an allocation when its call has to sleep.
//
// # Goroutines and threads
//
// Everything may be used by many goroutines at once. A wait spins briefly, yields, and then
// sleeps in the system, which occupies a thread: one for each call that waits for its answer, one
// for all that wait for a slot, and two for each Serve that is idle. The package starts goroutines
// only in Serve, which ends them before it returns. On Linux Serve keeps a descriptor of the host's
// process open.
//
// # Trust
//
// The region's owner and, but on Windows, its mode are checked, its geometry is copied and checked once, and every
// length and state word is checked when it is read; what no correct peer could have written ends
// in ErrCorrupt. If somebody truncates the region's file, an operation that meets the hole returns
// ErrCorrupt; so does a handler that touches it, but not a goroutine that a handler started. What a
// hostile peer can do all the same is listed in docs/SECURITY.md of the C library's repository: the
// index of a request's caller, for one, can be forged, and is not for authorisation.
//
// # Systems
//
// The package is pure Go without dependencies and builds everywhere. It works on Linux on
// little-endian machines and on Windows on amd64 and arm64; elsewhere Attach returns
// ErrNotSupported.
//
// On Windows the name is one of this session, or with Config.Global one of the whole machine; the
// objects of the region must belong to this process's user, or to the Administrators if it is
// elevated; Config.Mode means nothing, and Config.Owner must be 0. A host that dies wakes everybody
// who waits for it at once, without a tick of 100 milliseconds or more. Deadlines are kept better
// than the system's tick of 15.6 milliseconds where the package sleeps itself; those that a context's
// own timer ends, or that wait for their turn behind other goroutines, are as fine as Go's timers
// are, which is a tick before Go 1.23.
package shmipc
