// Package remote carries calls and jobs from a bridge to workers, over NATS. The README has the protocol and says which
// of its promises are exact.
package remote
