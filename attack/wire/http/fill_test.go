package http_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire"
	wirehttp "github.com/rampload/rampload/attack/wire/http"
	"github.com/rampload/rampload/profiles"
)

// TestFilledRequests: a real server gets, over both versions, what the references of a
// request stand for, written for where they stand.
func TestFilledRequests(t *testing.T) {
	for _, protocol := range []profiles.Protocol{profiles.ProtocolHTTP1, profiles.ProtocolH2C} {
		t.Run(string(protocol), func(t *testing.T) {
			got := make(chan *http.Request, 1)
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				r.Header.Set("Seen-Body", string(body))
				got <- r
			}))
			server.Config.Protocols = new(http.Protocols)
			server.Config.Protocols.SetHTTP1(true)
			server.Config.Protocols.SetUnencryptedHTTP2(true)
			server.Start()
			defer server.Close()
			client, err := wire.Open(wirehttp.New)(attack.ClientConfig{
				Profile: profiles.Target{URL: server.URL + "/api"}, Client: profiles.Client{Connections: 1, Protocol: protocol},
				Data: []profiles.Table{{Name: "users", Columns: []string{"id", "name"}, Rows: [][]string{{"1", "x"}, {"a/b", "O\"B\r\nrien & co"}}}},
				Vars: []string{"login.token"}, RunID: attack.RunID{9},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			for _, c := range []struct {
				name    string
				request profiles.Request
				want    map[string]string
			}{
				{"path, header and JSON", profiles.Request{
					Method: "POST", Path: "/users/${users.id}/x$$y?name=${users.name}",
					Headers: []profiles.Header{{Name: "Authorization", Value: "Bearer ${login.token}"}, {Name: "X-Name", Value: "${users.name}"}, {Name: "X-Plain", Value: "a$$b"}},
					Body:    `{"name": "${users.name}", "n": ${request.number}, "price": "$$5"}`,
				}, map[string]string{
					"uri": "/api/users/a%2Fb/x$y?name=O%22B%0D%0Arien+%26+co", "Authorization": "Bearer t0", "X-Name": `O"B  rien & co`, "X-Plain": "a$b",
					"Seen-Body": `{"name": "O\"B\r\nrien & co", "n": 42, "price": "$5"}`,
				}},
				{"form", profiles.Request{
					Method: "POST", Path: "/login", Body: "user=${users.name}&x=1",
					Headers: []profiles.Header{{Name: "Content-Type", Value: "application/x-www-form-urlencoded"}},
				}, map[string]string{"uri": "/api/login", "Seen-Body": "user=O%22B%0D%0Arien+%26+co&x=1"}},
				{"host, query only, text", profiles.Request{
					Method: "PUT", Path: "?id=${users.id}", Body: "${users.id}", Chunked: true,
					Headers: []profiles.Header{{Name: "Host", Value: "${login.token}.example"}},
				}, map[string]string{"uri": "/api?id=a%2Fb", "host": "t0.example", "Seen-Body": "a/b"}},
				{"multipart", profiles.Request{
					Method: "POST", Path: "/up", Parts: []profiles.Part{{Name: "id", Value: "n-${users.id}"}},
				}, map[string]string{"uri": "/api/up", "Seen-Body": "n-a/b"}},
			} {
				c.request.Filled = true
				compiled, err := client.Compile(c.request)
				if err != nil {
					t.Fatalf("%s: %v", c.name, err)
				}
				for range 2 { // on a new connection, and on one that was used
					a := attack.Attempt{Request: 42, Fill: &attack.Fill{Rows: []int{1}, Vars: []string{"t0"}}}
					client.Do(compiled, &a)
					if a.Fault != attack.None || a.Sent == 0 {
						t.Fatalf("%s: %+v", c.name, a)
					}
					r := <-got
					for key, want := range c.want {
						have := r.Header.Get(key)
						switch key {
						case "uri":
							have = r.RequestURI
						case "host":
							have = r.Host
						}
						if have != want && (c.name != "multipart" || !strings.Contains(have, "\r\n\r\n"+want+"\r\n--")) {
							t.Errorf("%s: %s is %q, want %q", c.name, key, have, want)
						}
					}
					if id := r.Header.Get("X-Transaction-Id"); id != string(attack.RunID{9}.AppendTransactionID(nil, 42)) {
						t.Errorf("%s: transaction id %q", c.name, id)
					}
					if trace := r.Header.Get("Traceparent"); trace != string(attack.RunID{9}.AppendTraceParent(nil, 42, 0, false)) {
						t.Errorf("%s: traceparent %q", c.name, trace)
					}
				}
			}
		})
	}
}
