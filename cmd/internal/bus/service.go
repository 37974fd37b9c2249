package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
)

// Service is somebody on the bus who can be found, by the rules of NATS's services:
// the server's own tools show it too.
type Service struct {
	Role     Role
	Name     string // of the machine; letters, digits, dashes, points
	About    string
	Version  string // of rampload
	Metadata map[string]string
}

// Found is a service that answered.
type Found struct {
	Name     string
	ID       string // of this start of it
	Metadata map[string]string
}

// CallSubject is where a service is called: by its id, so that two of one name are two.
func CallSubject(role Role, id string) string { return subjectOf(string(role), id) }

// Offer offers a service until the returned function is called. Calls are answered one
// after the other.
func (conn *Conn) Offer(s Service, answer func(data []byte) []byte) (id string, stop func(), err error) {
	metadata := map[string]string{"name": s.Name, "rampload": s.Version}
	for k, v := range s.Metadata {
		metadata[k] = v
	}
	service, err := micro.AddService(conn.nats, micro.Config{
		Name: "rampload-" + string(s.Role), Version: semantic(s.Version), Description: s.About, Metadata: metadata, QueueGroupDisabled: true,
	})
	if err != nil {
		return "", nil, fmt.Errorf("offer a service on %s: %w", conn.where, err)
	}
	id = service.Info().ID
	err = service.AddEndpoint("order", micro.HandlerFunc(func(r micro.Request) { _ = r.Respond(answer(r.Data())) }), micro.WithEndpointSubject(CallSubject(s.Role, id)))
	if err != nil {
		_ = service.Stop()
		return "", nil, fmt.Errorf("offer a service on %s: %w", conn.where, err)
	}
	return id, func() { _ = service.Stop() }, nil
}

// semantic is a version as NATS wants it: rampload's own stands in the metadata.
func semantic(string) string { return "1.0.0" }

// Find asks for all services of a role and returns those that answered until enough
// says so, or the time is over. They come in order of name and id.
func (conn *Conn) Find(ctx context.Context, role Role, within time.Duration, enough func([]Found) bool) ([]Found, error) {
	var found []Found
	deadline := time.Now().Add(within)
	inbox := conn.nats.NewInbox()
	answers := make(chan *nats.Msg, 1024)
	sub, err := conn.nats.ChanSubscribe(inbox, answers)
	if err != nil {
		return nil, fmt.Errorf("look for %ss on %s: %w", role, conn.where, err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	again := time.NewTicker(500 * time.Millisecond)
	defer again.Stop()
	over := time.NewTimer(time.Until(deadline))
	defer over.Stop()
	ask := func() error {
		if err := conn.nats.PublishRequest("$SRV.INFO.rampload-"+string(role), inbox, nil); err != nil {
			return fmt.Errorf("look for %ss on %s: %w", role, conn.where, err)
		}
		return nil
	}
	if err := ask(); err != nil {
		return nil, err
	}
	for {
		select {
		case <-ctx.Done():
			return found, ctx.Err()
		case <-over.C:
			return found, nil
		case <-again.C:
			if enough(found) {
				return found, nil
			}
			if err := ask(); err != nil {
				return found, err
			}
		case m := <-answers:
			var info micro.Info
			if json.Unmarshal(m.Data, &info) != nil || info.ID == "" || slices.ContainsFunc(found, func(f Found) bool { return f.ID == info.ID }) {
				continue
			}
			found = append(found, Found{Name: info.Metadata["name"], ID: info.ID, Metadata: info.Metadata})
			slices.SortFunc(found, func(a, b Found) int { return strings.Compare(a.Name+"\x00"+a.ID, b.Name+"\x00"+b.ID) })
		}
	}
}
