// Package shmipc is the guest's side of libshmipc: calls between processes through shared memory.
//
// A host, written in C or C++ with libshmipc, creates a named region; up to 15 guests attach to it. Either side calls
// the other, and a call of up to 48 bytes is one cache line there and one cache line back. Either side may be killed at
// any instruction and started again; the other goes on, and learns for each call whether it had started.
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
// Run does all this again whenever the host comes back, and RunAll for every host whose name has a prefix; a Client
// makes calls that outlive the host's restart. In a slot from Claim, Send and Receive make no copies, and Call is the
// fastest for a goroutine that calls often. A Mux has a handler for each message type.
//
// # Errors
//
// Failures are of type *Error or Code, and errors.Is tells them apart by the constants ErrTimeout and so on, which have
// the names and numbers of the C library. They also match the standard library's errors of the same meaning, such as
// context.DeadlineExceeded. An error named ...Started says that a handler had seen the request; the others say that no
// handler has and none ever will.
//
// # Contexts
//
// Every operation that may wait takes a context and ends with it. A context without a deadline gets Config.Timeout, 10
// seconds by default; only Serve, and Run and RunAll for hosts, wait without end. A wait spins before it first reads
// the clock, so it may overrun its deadline by some 100 microseconds at most. A context that can be cancelled costs an
// allocation if its call has to sleep.
//
// # Goroutines and threads
//
// Everything may be used by many goroutines at once. A wait spins briefly, yields, and then sleeps in the system, which
// occupies a thread: one for each call that waits for its answer, one for all goroutines that wait for a slot, and two
// for each idle Serve. Serve and NextEvent occupy none in RunAll, or by Config.SleepInNetpoller, on Linux: a guest
// there has a descriptor for that, and a goroutine that waits for it until Close. Serve, Run and RunAll start
// goroutines, and end them before they return. On Linux Serve keeps a descriptor of the host's process open; the waits
// for hosts of a process share one descriptor and one goroutine.
//
// # Trust
//
// The package checks the region's owner and, except on Windows, its mode. It copies and checks the geometry once, and
// checks every length and state word when it reads it; a value that no correct peer could have written ends in
// ErrCorrupt. If another process truncates the region's file, an operation that touches the missing part returns
// ErrCorrupt, and a handler that touches it ends Serve with ErrCorrupt. Goroutines that a handler started are not
// protected. docs/SECURITY.md of the C library's repository lists what a hostile peer can still do: for example, it can
// forge the index of a request's caller, so do not authorise by it.
//
// # Systems
//
// The package is pure Go without dependencies and builds everywhere. It works on Linux on little-endian machines and on
// Windows on amd64 and arm64; elsewhere Attach returns ErrNotSupported.
//
// On Windows the name is one of this session, or with Config.Global one of the whole machine; the objects of the region
// must belong to this process's user, or to the Administrators if it is elevated; Config.Mode means nothing, and
// Config.Owner must be 0. A host's death wakes every goroutine that waits for it at once, not at a tick of 100
// milliseconds or more. Where the package itself sleeps, deadlines are finer than the system's tick of 15.6
// milliseconds. A wait that a context's timer ends, or that queues behind other goroutines, is as fine as Go's timers,
// which is a tick before Go 1.23.
package shmipc
