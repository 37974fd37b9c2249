package profiles

// Role says what of a target is counted.
type Role string

// The roles. What is no request is none of the load: it follows from what was accepted, or
// from connections that are open.
const (
	RoleRequests   Role = ""              // what the load sends
	RoleCompletion Role = "completion"    // transactions that were accepted, until they are done
	RoleStatus     Role = "status"        // polls for their state
	RoleFirst      Role = "first-message" // what a server says first on each new connection
	RolePing       Role = "ping"          // pings of silent connections, until they are answered
)

// Aside reports whether what is counted bears on gates only that name it: it is neither a
// request of the load, nor what becomes of one.
func (r Role) Aside() bool { return r != RoleRequests && r != RoleCompletion }

// Counted is one thing that is counted of a target, with a name of its own: the
// target's for its requests, else TARGET:ROLE.
type Counted struct {
	Name   string
	Role   Role
	Target int // index
}

// Counted returns what is counted, in the order of its numbers: the requests of each
// target first.
func (p Profile) Counted() []Counted {
	out := make([]Counted, 0, len(p.Targets))
	for i, t := range p.Targets {
		out = append(out, Counted{t.Name, RoleRequests, i})
	}
	for i, t := range p.Targets {
		for _, beside := range []struct {
			role  Role
			given bool
		}{
			{RoleCompletion, t.Completion.Given()},
			{RoleStatus, t.Completion.Via == ViaPoll},
			{RoleFirst, t.WebSocket.FirstMessage > 0},
			{RolePing, t.WebSocket.KeepAlive > 0},
		} {
			if beside.given {
				out = append(out, Counted{t.Name + ":" + string(beside.role), beside.role, i})
			}
		}
	}
	return out
}
