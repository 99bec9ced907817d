package main

import (
	"errors"
	"time"

	shmipc "github.com/libshmipc/libshmipc/go"
)

// handle does what the question wishes, and enters it in the ledger.
func (l *life) handle(request *shmipc.Request, response *shmipc.Response) error {
	q, ok := readQuestion(request.Data)
	c := l.ledger.call(q.number)
	if !ok || c == nil {
		l.ledger.garbled.Add(1)
		return errors.New("nobody has asked this")
	}
	l.ledger.start(c)
	l.fulfil(&q)
	if again, ok := readQuestion(request.Data); !ok || again != q {
		l.ledger.garbled.Add(1)
	}
	if q.wish != wishFail {
		response.Type = answerType
		q.writeAnswer(response.Buffer())
		response.SetLength(int(q.answerLength))
	}
	l.ledger.finish(c)
	switch {
	case q.wish == wishFail && q.timeUs%2 == 0:
		panic(q.failure())
	case q.wish == wishFail:
		return errors.New(q.failure())
	}
	return nil
}

func (l *life) fulfil(q *question) {
	lasts := time.Duration(q.timeUs) * time.Microsecond
	switch q.wish {
	case wishCompute:
		for until := now() + uint64(lasts); now() < until; {
		}
	case wishSleep:
		time.Sleep(lasts)
	case wishCallBack:
		one := caller{life: l, chance: chanceOf(l.ledger.seed, q.number)}
		one.callCopying(calledBack, 20*time.Millisecond)
	}
}
