package shmipc

import "testing"

func TestRunAllNeedsNamesThatAreListed(t *testing.T) {
	wantError(t, RunAll(deadline(t), "any", nil, nil), ErrNotSupported)
}
