package shmipc

// Running handlers: a poller hands over before a long one, and durations are learned.

// runHandler runs the handler for the taken request. endRun must follow, however the handler ends.
func (w *worker) runHandler() error {
	w.handling = true
	if w.state == polling && !w.measuresNext && w.guest.serving.durations.areShort() {
		return w.workerPool.handler(&w.request, &w.response)
	}
	return w.runElsewhere()
}

// runElsewhere runs the handler if it may be long, or is measured, or the worker does not poll.
func (w *worker) runElsewhere() error {
	if w.guest.serving.durations.isLong(w.request.Type) {
		return w.runLong()
	}
	if w.state != polling {
		w.goOut(int(w.slot.index))
	}
	if w.measuresNext {
		return w.measure()
	}
	return w.workerPool.handler(&w.request, &w.response)
}

// runLong makes the worker go out first: handOver then passes on any request that was left to it until then.
func (w *worker) runLong() error {
	w.goOut(int(w.slot.index))
	if w.state == polling {
		w.handOver()
	}
	w.state = running
	w.ranLong, w.keepsHome = true, true
	w.guest.serving.longHandlers.enter()
	return w.measure()
}

func (w *worker) measure() error {
	kind, began := w.request.Type, now()
	err := w.workerPool.handler(&w.request, &w.response)
	w.guest.serving.durations.learn(kind, now()-began)
	return err
}

// countRun counts a handler whose request has been answered.
func (w *worker) countRun() {
	w.handlers++
	w.measuresNext = isSampled(w.handlers)
}

// endRun follows a handler that has returned, panicked or ended its goroutine.
func (w *worker) endRun() {
	w.handling = false
	if w.request.context != nil {
		w.guest.endContext(&w.request)
	}
	if w.state != polling || w.isSuperseded() {
		w.endRunElsewhere()
	}
}

// endRunElsewhere is endRun for a worker that does not poll, or was superseded while its handler ran: then its type
// counts as long.
func (w *worker) endRunElsewhere() {
	s := &w.guest.serving
	switch w.state {
	case running:
		w.state = searching
		s.longHandlers.leave()
	case polling:
		w.noticeSuperseded()
		s.durations.learnLong(w.request.Type)
	}
	w.comeBack()
}
