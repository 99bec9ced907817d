//go:build shmipc_policy

package shmipc

import (
	"fmt"
	"os"
	"sync/atomic"
)

// policyInUse is one of the worst policies, for the tests: SHMIPC_POLICY names it.
var policyInUse = func() policy {
	name := os.Getenv("SHMIPC_POLICY")
	for policy, known := range map[policy]string{
		policyParksAtOnce: "early", policyParksLate: "late", policyIsRandom: "random",
	} {
		if name == known {
			return policy
		}
	}
	panic(fmt.Sprintf("SHMIPC_POLICY is %q, and not early, late or random", name))
}()

var randomState atomic.Uint32

func random() uint32 {
	seed := randomState.Add(0x9e3779b9)
	seed = (seed ^ seed>>16) * 0x85ebca6b
	return seed ^ seed>>13
}

func decideAnyhow(early bool) bool {
	switch policyInUse {
	case policyParksAtOnce:
		return early
	case policyParksLate:
		return !early
	default:
		return random()%2 != 0
	}
}

// anyhow is any step.
func (s *spin) anyhow() step {
	switch policyInUse {
	case policyParksAtOnce:
		return stepPark
	case policyParksLate:
		return s.parkLate()
	default:
		return []step{stepPause, stepYield, stepPark}[random()%3]
	}
}

// parkLate spins roughly as long as the promised overrun of deadlines allows, in pauses.
func (s *spin) parkLate() step {
	if s.stage == spinLeast {
		s.stage, s.left = spinProbing, 500
	}
	if s.left == 0 { // from now on
		return stepPark
	}
	s.left--
	return stepPause
}
