//go:build amd64 || arm64

package park

import "testing"

// The protocol defines the names: both languages must find each other's objects.
func TestObjectsAreCalledAsTheProtocolSays(t *testing.T) {
	n := NewNames(false, 0xabc)
	for got, want := range map[string]string{
		string(NewNames(true, 1)):     `Global\shmipc-0000000000000001`,
		string(n):                     `Local\shmipc-0000000000000abc`,
		n.Of("lock", 15):              `Local\shmipc-0000000000000abc-lock-15`,
		n.Of(onEventcount, 4, 0):      `Local\shmipc-0000000000000abc-bell-4-0`,
		eventName(onSlot, 8191, 1):    `Local\shmipc-0000000000000abc-slot-8191`,
		eventName(onEventcount, 2, 3): `Local\shmipc-0000000000000abc-bell-2-3`,
		eventName(onAnswers, 7, 7):    `Local\shmipc-0000000000000abc-answers-7`,
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func eventName(kind string, number, peer uint32) string {
	return (&Sleeper{names: NewNames(false, 0xabc)}).nameOf(spot{kind, number}, peer)
}
