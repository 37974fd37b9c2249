package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// streamAge is after what time a run that nobody collected is forgotten, and
	// streamSize what one run may take of a server's disk.
	streamAge  = 7 * 24 * time.Hour
	streamSize = 4 << 30
	// leastStream is with how little a run is begun where the server has no more.
	leastStream = 64 << 20
	// offsetHeader is where in its record a message's bytes stand: whatever is sent
	// twice, in other pieces or by a program that was started again, is read once.
	offsetHeader = "Rampload-Offset"
)

// Stream holds what one run recorded: a record for each part, in pieces.
type Stream struct {
	conn   *Conn
	js     jetstream.JetStream
	stream jetstream.Stream
	run    string
}

func streamName(run string) string { return "rampload_" + run }

// CreateStream makes the stream of a run.
func (conn *Conn) CreateStream(ctx context.Context, run string) (*Stream, error) {
	js, err := jetstream.New(conn.nats)
	if err != nil {
		return nil, fmt.Errorf("keep the run on %s: %w", conn.where, err)
	}
	cfg := jetstream.StreamConfig{
		Name: streamName(run), Description: "rampload run " + run, Subjects: []string{subjectOf("run", run, "log", "*")},
		Storage: jetstream.FileStorage, Replicas: 1, MaxBytes: streamSize, MaxAge: streamAge,
		Discard: jetstream.DiscardNew, // what was kept stays: a record without its beginning is worth nothing
	}
	s, err := js.CreateStream(ctx, cfg)
	for lacksRoom(err) && cfg.MaxBytes > leastStream { // its disk is nearly full, or older runs are kept there
		cfg.MaxBytes /= 4
		s, err = js.CreateStream(ctx, cfg)
	}
	switch {
	case lacksRoom(err):
		return nil, refused(fmt.Sprintf("%s has no room for what a run records: give its JetStream a disk with more than %d MiB free, or remove the streams of old runs", conn.where, leastStream>>20))
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		return nil, refused(fmt.Sprintf("%s has no JetStream, which keeps what a run records: start it with nats-server -js", conn.where))
	case err != nil:
		return nil, fmt.Errorf("keep the run on %s: %w", conn.where, err)
	}
	return &Stream{conn: conn, js: js, stream: s, run: run}, nil
}

// lacksRoom reports whether a server refused a stream for want of storage.
func lacksRoom(err error) bool {
	const storage jetstream.ErrorCode = 10047 // JSStorageResourcesExceededErr of nats-server
	var api *jetstream.APIError
	return errors.As(err, &api) && api.ErrorCode == storage
}

// ErrNoStream says that a server knows nothing of a run.
var ErrNoStream = errors.New("nothing of this run is kept there")

// OpenStream opens the stream of a run that was made before.
func (conn *Conn) OpenStream(ctx context.Context, run string) (*Stream, error) {
	js, err := jetstream.New(conn.nats)
	if err != nil {
		return nil, fmt.Errorf("read the run from %s: %w", conn.where, err)
	}
	s, err := js.Stream(ctx, streamName(run))
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return nil, fmt.Errorf("run %s: %s: %w", run, conn.where, ErrNoStream)
	case err != nil:
		return nil, fmt.Errorf("read the run from %s: %w", conn.where, err)
	}
	return &Stream{conn: conn, js: js, stream: s, run: run}, nil
}

// Delete forgets the run.
func (s *Stream) Delete(ctx context.Context) error { return s.js.DeleteStream(ctx, streamName(s.run)) }

// Piece is a piece of the record of a part.
type Piece struct {
	Part   int
	Offset int64 // in the part's record
	Data   []byte
	Last   bool // the stream has nothing more for now
}

// Follow hands on every piece of the stream from its first, as they come, until ctx is
// done, from one goroutine. It goes on after a lost connection where it was.
func (s *Stream) Follow(ctx context.Context, piece func(Piece)) error {
	consumer, err := s.stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy})
	if err != nil {
		return fmt.Errorf("read the run from %s: %w", s.conn.where, err)
	}
	prefix := subjectOf("run", s.run, "log") + "."
	consuming, err := consumer.Consume(func(m jetstream.Msg) {
		part, err := strconv.Atoi(strings.TrimPrefix(m.Subject(), prefix))
		if err != nil {
			return
		}
		offset, err := strconv.ParseInt(m.Headers().Get(offsetHeader), 10, 64)
		if err != nil {
			return
		}
		p := Piece{Part: part, Offset: offset, Data: m.Data()}
		if about, err := m.Metadata(); err == nil {
			p.Last = about.NumPending == 0
		}
		piece(p)
	})
	if err != nil {
		return fmt.Errorf("read the run from %s: %w", s.conn.where, err)
	}
	<-ctx.Done()
	consuming.Stop()
	<-consuming.Closed()
	return nil
}

// Empty reports whether the stream holds nothing.
func (s *Stream) Empty(ctx context.Context) bool {
	info, err := s.stream.Info(ctx)
	return err == nil && info.State.Msgs == 0
}

// Append puts a piece of a part's record into the stream of a run. It does not wait:
// the answer is sent once, when the piece is safe on the server's disk, or is not.
func (conn *Conn) Append(run string, part int, offset int64, data []byte) <-chan error {
	done := make(chan error, 1)
	m := nats.NewMsg(subjectOf("run", run, "log", strconv.Itoa(part)))
	m.Data = data
	m.Header.Set(offsetHeader, strconv.FormatInt(offset, 10))
	if !conn.Up() {
		done <- nats.ErrDisconnected
		return done
	}
	ack, err := conn.append.PublishMsgAsync(m, jetstream.WithRetryAttempts(0))
	if err != nil {
		done <- err
		return done
	}
	go func() {
		select {
		case <-ack.Ok():
			done <- nil
		case err := <-ack.Err():
			done <- conn.notKept(err)
		}
	}()
	return done
}

// ErrNotKept says that a server is there and does not keep what it is given: it is full,
// or the run was removed from it.
var ErrNotKept = errors.New("does not keep what it is given")

// notKept puts the refusal of a piece into words.
func (conn *Conn) notKept(err error) error {
	var api *jetstream.APIError
	switch {
	case errors.As(err, &api):
		return fmt.Errorf("%s %w: %s", conn.where, ErrNotKept, api.Description)
	case errors.Is(err, jetstream.ErrAsyncPublishTimeout):
		return fmt.Errorf("%s %w: nothing is confirmed within %s, its disk is full or slow (make room there, and start it again)", conn.where, ErrNotKept, appendIn)
	case errors.Is(err, jetstream.ErrNoStreamResponse), errors.Is(err, nats.ErrNoResponders):
		return fmt.Errorf("%s %w: its stream is gone", conn.where, ErrNotKept)
	}
	return err
}

// appendIn is how long a server may take to put a piece on its disk. One whose disk is
// full says nothing at all.
const appendIn = 8 * time.Second
