//go:build !shmipc_policy

package shmipc

import (
	"testing"
	"time"
)

// newDurations takes handlers of 5 us or more for long: waking takes 2.5 us on either side.
func newDurations() *durations {
	d := new(durations)
	d.setUp(2, 4)
	return d
}

const someType = 3

// learnUntil records the same duration until the expectation is as wanted, and returns how often it did.
func (d *durations) learnUntil(t *testing.T, took time.Duration, long bool) (times int) {
	t.Helper()
	for ; d.isLong(someType) != long; times++ {
		if times == 1000 {
			t.Fatalf("%v, again and again: long is %v", took, !long)
		}
		d.learn(someType, int64(took))
	}
	return times
}

func TestHandlerIsLongThatTakesTwiceAsLongAsToWakeACaller(t *testing.T) {
	for _, c := range []struct {
		processors, slots int
		wake, took        time.Duration
		long              bool
	}{
		{2, 4, 2500, 4999, false},
		{2, 4, 2500, 5000, true},
		{1, 4, 2500, 4999, false}, // at least one helper is counted
		{1, 4, 2500, 5000, true},
		{3, 4, 2500, 2499, false},
		{3, 4, 2500, 2500, true},
		{9, 4, 2500, 999, false}, // longLeast applies: reading the clock has a cost
		{9, 4, 2500, 1000, true},
		{2, 1000, 2500, 7999, false}, // the look at all slots applies
		{2, 1000, 2500, 8000, true},
	} {
		var d durations
		d.setUp(c.processors, c.slots)
		d.setWake(uint32(c.wake))
		d.ns[someType].Store(uint32(c.took))
		if d.learn(someType, int64(c.took)); d.isLong(someType) != c.long || d.areShort() == c.long {
			t.Errorf("%+v is wrong", c)
		}
	}
}

func TestDurationsOfTypesAreApartButForThoseThatShareAPlace(t *testing.T) {
	d := newDurations()
	d.learn(someType, int64(time.Second))
	if !d.isLong(someType) || !d.isLong(someType+durationPlaces) || d.isLong(someType+1) {
		t.Fatal("a type has another's duration, or none")
	}
}

// One long run makes a type long at once. Short runs count for more, so the effect of an interruption soon ends.
func TestShortHandlersCountForMore(t *testing.T) {
	d := newDurations()
	if n := d.learnUntil(t, time.Millisecond, true); n != 1 {
		t.Errorf("it took %d long handlers", n)
	}
	if d.areShort() || !d.isLong(someType) {
		t.Error("one is long, and all are short")
	}
	if n := d.learnUntil(t, 100, false); n > 4 {
		t.Errorf("after a long one it took %d short handlers", n)
	}
	if n := d.learnUntil(t, 6*time.Microsecond, true); n < meanShare {
		t.Errorf("it took only %d handlers that are hardly long", n)
	}
	for i := 0; i < 1000; i++ {
		d.learn(someType, int64(time.Hour))
	}
	if n := d.learnUntil(t, 100, false); n > 7 || !d.areShort() {
		t.Errorf("after many long ones it took %d short handlers", n)
	}
}

func TestHandlerThatWasFoundOutIsLongUntilAShortOne(t *testing.T) {
	for _, slots := range []int{1, 100, 4096} {
		for _, processors := range []int{1, 2, 4, 64} {
			var d durations
			d.setUp(processors, slots)
			if d.learnLong(someType); !d.isLong(someType) {
				t.Fatalf("%d processors, %d slots: it is not long", processors, slots)
			}
			if d.learn(someType, 0); d.isLong(someType) {
				t.Fatalf("%d processors, %d slots: it stays long", processors, slots)
			}
		}
	}
	d := newDurations()
	d.learn(someType, int64(time.Second))
	before := d.ns[someType].Load()
	if d.learnLong(someType); d.ns[someType].Load() != before {
		t.Fatal("it is shorter than what was measured")
	}
}

// The first handlers are measured often, later ones rarely.
func TestHandlersAreSampled(t *testing.T) {
	samples := 0
	for n := uint32(1); n <= 100*durationSamples; n++ {
		if isSampled(n) {
			samples++
		}
		if n == 64 && samples < 6 || n == durationSamples && samples > 12 {
			t.Fatalf("of %d handlers %d are measured", n, samples)
		}
	}
	if samples < 100 || samples > 120 {
		t.Fatalf("of %d handlers %d are measured", 100*durationSamples, samples)
	}
}

func TestWhatAWakeUpTakesIsLearnedInTheMean(t *testing.T) {
	d := newDurations()
	for _, c := range []struct{ took, least, most time.Duration }{
		{10 * time.Microsecond, 9900, 10000},
		{time.Second, wakeMost - 100, wakeMost},
		{1000, 1000, 1100},
	} {
		before := time.Duration(d.wakeNs.Load())
		d.learnWake(int64(c.took))
		if moved, all := (time.Duration(d.wakeNs.Load()) - before).Abs(), (min(c.took, wakeMost) - before).Abs(); moved > all/4 {
			t.Errorf("one of %v moves it by %v", c.took, moved)
		}
		for i := 0; i < 100; i++ {
			d.learnWake(int64(c.took))
		}
		if got := time.Duration(d.wakeNs.Load()); got < c.least || got > c.most {
			t.Errorf("after many of %v it is %v", c.took, got)
		}
	}
}

// pass repeatedly puts this many goroutines into the crowd at once.
func (c *crowd) pass(atOnce int) {
	for i := 0; i < 100; i++ {
		for j := 0; j < atOnce; j++ {
			c.enter()
		}
		for j := 0; j < atOnce; j++ {
			c.leave()
		}
	}
}

func TestCrowdLeavesRoomWhereThereIsAProcessorForEachAndForWhoWaits(t *testing.T) {
	for _, processors := range []int{2, 4, 16} {
		var c crowd
		for c.now.Load() < int32(processors/2) {
			c.enter()
		}
		for i := 0; i < 100; i++ { // this many, all the time
			c.leave()
			c.enter()
		}
		if !c.leavesRoom(processors) {
			t.Errorf("%d processors do not suffice for half as many", processors)
		}
		c.enter()
		for i := 0; i < 100; i++ {
			c.leave()
			c.enter()
		}
		if c.leavesRoom(processors) {
			t.Errorf("%d processors suffice for more than half as many", processors)
		}
	}
}

func TestCrowdIsTheMeanAndBeginsEmpty(t *testing.T) {
	var c crowd
	if !c.leavesRoom(1) {
		t.Fatal("nobody is in it, and there is no room")
	}
	c.pass(1)
	if c.enter(); !c.leavesRoom(2) { // two at once, a single time
		t.Fatal("one more leaves no room at once")
	}
	c.leave()
	if c.pass(4); c.leavesRoom(2) {
		t.Fatal("four at once leave room")
	}
	if c.pass(1); !c.leavesRoom(2) {
		t.Fatal("it forgets nothing")
	}
}
