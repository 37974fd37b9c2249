package classify

import (
	"errors"

	"github.com/rampload/rampload/attack"
)

// InPhase is an error of the beginning of a session that met another phase than PhaseWrite.
type InPhase struct {
	Phase attack.Phase
	Err   error
	Why   string             // what was expected and what came, where the error is not all
	Said  []attack.ReplyTurn // by both sides until then, for whoever looks at it
}

// Error implements error.
func (e InPhase) Error() string { return e.Err.Error() }

// Unwrap returns the error.
func (e InPhase) Unwrap() error { return e.Err }

// Refusal is an error of the beginning of a session: the peer takes no such client, and said
// why.
type Refusal struct {
	Detail attack.Detail
	Words  string
	Why    string // what was expected and what came, where that is not what the words say
	Status uint16 // of HTTP; 0: none
}

// Error implements error.
func (r Refusal) Error() string { return "refused: " + r.Words }

// Start says in which phase an error ended the beginning of a session, and notes at the attempt
// what both sides said until then. It returns the error to judge: of a [Refusal], that its
// status was not the expected one.
func Start(a *attack.Attempt, err error) (attack.Phase, error) {
	phase := attack.PhaseWrite
	var in InPhase
	if errors.As(err, &in) {
		phase = in.Phase
		if a.Reply != nil {
			for _, t := range in.Said {
				a.Reply.Turn(t.Ours, t.Data)
			}
			if in.Why != "" {
				a.Answer = &attack.Answer{Declared: -1, Why: in.Why}
			}
		}
	}
	var no Refusal
	if errors.As(err, &no) {
		a.Answer, a.Status = &attack.Answer{Body: no.Words, Why: no.Why, Declared: -1}, no.Status
		err = Failed{Fault: attack.Status, Detail: no.Detail}
	}
	return phase, err
}
