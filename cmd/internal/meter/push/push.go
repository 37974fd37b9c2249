// Package push sends the numbers of a run to receivers, again and again. What is sent is
// the run as it is, with all totals since its start, so that nothing has to be kept for a
// receiver that is away: what it takes next has all that it missed but the course. One
// message is under way at a time, and no more memory is used than for it.
package push

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rampload/rampload/cmd/internal/meter/family"
	"github.com/rampload/rampload/cmd/internal/otlp"
)

// Receiver takes snapshots, each later than the one before. It is used by one goroutine.
type Receiver interface {
	// Send hands a snapshot over, and returns when it was taken, or why not.
	Send(ctx context.Context, s family.Snapshot) error
	// Where names the receiver for people.
	Where() string
	Close()
}

const (
	// sendIn is how long one message may take.
	sendIn = 10 * time.Second
	// lastIn is how long the last one may take, with all tries.
	lastIn = 5 * time.Second
	// lastPause is the pause between tries of the last one.
	lastPause = 500 * time.Millisecond
	// longestWait bounds how long a receiver may ask to be left alone.
	longestWait = time.Minute
)

// Pusher sends to one receiver.
type Pusher struct {
	to    Receiver
	every time.Duration
	take  func() family.Snapshot
	tell  func(string)

	stop chan struct{}
	done chan struct{}

	failing time.Time // since when; the zero time: it takes what comes
	told    string    // why, as it was told last
	partial bool      // it was told that parts are left out
	sent    int
}

// Start begins to send to a receiver, which is the pusher's from now on. tell says in a
// line that nothing arrives, and when it does again; it must not block.
func Start(to Receiver, every time.Duration, take func() family.Snapshot, tell func(string)) *Pusher {
	p := &Pusher{to: to, every: every, take: take, tell: tell, stop: make(chan struct{}), done: make(chan struct{})}
	go p.run() // ends with End
	return p
}

func (p *Pusher) run() {
	defer close(p.done)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { // what is under way when the run ends is given up: the last message has all
		select {
		case <-p.stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	next := time.NewTimer(0)
	defer next.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-next.C:
		}
		began := time.Now()
		after := p.send(ctx)
		next.Reset(max(p.every-time.Since(began), after, p.every/10))
	}
}

// send sends once, and returns how long the receiver wants to be left alone.
func (p *Pusher) send(ctx context.Context) time.Duration {
	ctx, cancel := context.WithTimeout(ctx, sendIn)
	defer cancel()
	err := p.to.Send(ctx, p.take())
	if errors.Is(ctx.Err(), context.Canceled) {
		return 0
	}
	var refused *otlp.Refused
	switch {
	case errors.As(err, &refused) && refused.Part > 0:
		if !p.partial {
			p.partial = true
			p.tell(fmt.Sprintf("%s takes a part of the metrics only: %s", p.to.Where(), err))
		}
	case err != nil:
		p.failed(err)
		if refused != nil {
			return min(refused.After, longestWait)
		}
		return 0
	}
	p.sent++
	if !p.failing.IsZero() {
		p.tell(fmt.Sprintf("metrics arrive at %s again, after %s", p.to.Where(), time.Since(p.failing).Round(time.Second)))
		p.failing, p.told = time.Time{}, ""
	}
	return 0
}

// failed tells a failure once, and once more when it is another.
func (p *Pusher) failed(err error) {
	if p.failing.IsZero() {
		p.failing = time.Now()
	}
	why := reason(err)
	if why == p.told {
		return
	}
	p.told = why
	p.tell(fmt.Sprintf("metrics do not arrive at %s: %s; the run goes on, and it is tried again every %s", p.to.Where(), why, p.every))
}

// reason is an error in words that stay the same while it does.
func reason(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer in time"
	}
	return err.Error()
}

// End sends the run once more, with its verdict, and ends the pusher. It takes no longer
// than five seconds.
func (p *Pusher) End() {
	close(p.stop)
	<-p.done
	defer p.to.Close()
	ctx, cancel := context.WithTimeout(context.Background(), lastIn)
	defer cancel()
	for {
		err := p.to.Send(ctx, p.take())
		var refused *otlp.Refused
		if err == nil || errors.As(err, &refused) && (refused.Part > 0 || !refused.Again) {
			if err != nil && refused.Part == 0 {
				p.failed(err)
			}
			return
		}
		pause := time.NewTimer(lastPause)
		select {
		case <-ctx.Done():
			pause.Stop()
			p.tell(fmt.Sprintf("the last metrics did not arrive at %s: %s", p.to.Where(), reason(err)))
			return
		case <-pause.C:
		}
	}
}
