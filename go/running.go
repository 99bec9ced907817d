package shmipc

// Running a handler: a poller hands over before a long one, and how long it takes is learned.

// runHandler runs the handler for the request that was taken, and endRun must follow it, however it ends.
func (w *worker) runHandler() error {
	w.handling = true
	if w.guest.serving.durations.isLong(w.request.Type) {
		return w.runLong()
	}
	w.keepsHome = false
	if w.state != polling && int(w.slot.index) != w.home {
		w.goOut()
	}
	if w.handlers++; w.handlers%durationSamples == 0 {
		return w.measure()
	}
	return w.crew.handler(&w.request, &w.response)
}

func (w *worker) runLong() error {
	if w.state == polling {
		w.handOver()
	}
	w.state = running
	w.keepsHome = true
	w.guest.serving.longHandlers.enter()
	if int(w.slot.index) != w.home {
		w.goOut()
	}
	return w.measure()
}

func (w *worker) measure() error {
	kind, began := w.request.Type, now()
	err := w.crew.handler(&w.request, &w.response)
	w.guest.serving.durations.learn(kind, now()-began)
	return err
}

// endRun is for a handler that has ended, be it by a panic, or with its goroutine. A poller that was superseded
// meanwhile has learned that the handler was long.
func (w *worker) endRun() {
	w.handling = false
	s := &w.guest.serving
	switch {
	case w.state == running:
		w.state = searching
		s.longHandlers.leave()
	case w.isSuperseded():
		w.noticeSuperseded()
		s.durations.learnLong(w.request.Type)
	}
	w.comeBack()
}
