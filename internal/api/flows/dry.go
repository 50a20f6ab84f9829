package flows

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"parley/internal/api/rest"
	"parley/internal/call"
	"parley/internal/conference"
	"parley/internal/fault"
	"parley/internal/flow"
	"parley/internal/flow/run"
	"parley/internal/store"
	"parley/internal/wall"
	"parley/internal/wire"
)

// trial is the body of a dry run.
type trial struct {
	Digits           string              `json:"digits"`
	Variables        map[string]string   `json:"variables"`
	At               wire.Time           `json:"at"`
	ReferenceType    string              `json:"reference_type"` // call (also "") or api
	ConferenceResult string              `json:"conference_result"`
	Answers          map[string][]answer `json:"answers"` // by action
}

// answer is what comes of a step.
type answer struct {
	Failed     string            `json:"failed"`
	Actions    json.RawMessage   `json:"actions"`
	CallStatus call.Status       `json:"call_status"`
	Hangup     call.HangupReason `json:"hangup"`
}

// report is what a dry run answers.
type report struct {
	FlowID     string            `json:"flow_id"`
	Path       []visit           `json:"path"`
	Announced  []string          `json:"announced"`
	EndReason  string            `json:"end_reason"`
	Hangup     call.HangupReason `json:"hangup_reason"`
	OnComplete string            `json:"on_complete_flow_id"` // the flow that would follow
	DurationMS int64             `json:"duration_ms"`
	Variables  map[string]string `json:"variables"`
}

type visit struct {
	Action  flow.Action `json:"action"`
	Frame   run.Kind    `json:"frame"`
	Outcome run.Outcome `json:"outcome"`
	Reason  string      `json:"reason"`
}

func (f *Flows) dryRun(r *rest.Request) (rest.Reply, error) {
	id, err := r.ID()
	if err != nil {
		return rest.Reply{}, err
	}
	var in trial
	if err := r.Parse(&in); err != nil {
		return rest.Reply{}, err
	}
	v, err := known(r, id)
	if err != nil {
		return rest.Reply{}, err
	}
	s, err := in.script()
	if err != nil {
		return rest.Reply{}, err
	}
	reference, err := wire.OneOf(in.ReferenceType, "call", "api")
	if err != nil {
		return rest.Reply{}, fault.New(fault.Invalid, "INVALID_ARGUMENT", "reference_type: %v", err)
	}
	env := run.Env{
		FlowID: v.ID, ReferenceType: reference, OnCompleteFlowID: v.OnCompleteFlowID, Direction: call.Inbound,
		Variables: in.Variables, Unavailable: run.Missing(),
	}
	got, err := run.DryRun(env, v.Actions, s, world{r})
	if err != nil {
		return rest.Reply{}, err
	}
	return rest.Reply{Body: told(v.ID, got)}, nil
}

// script checks the body.
func (t *trial) script() (s run.Script, err error) {
	s = run.Script{At: time.Time(t.At), Digits: t.Digits, Conference: t.ConferenceResult, Answers: map[string][]run.Answer{}}
	if s.At.IsZero() {
		s.At = wall.Now().UTC()
	}
	if err := run.CheckDigits(t.Digits); err != nil {
		return s, err
	}
	if s.Conference, err = wire.OneOf(t.ConferenceResult, "left", "kicked", "terminated", "timeout", "peer_left", "lost"); err != nil {
		return s, fault.New(fault.Invalid, "INVALID_ARGUMENT", "conference_result: %v", err)
	}
	for id, list := range t.Answers {
		for i, a := range list {
			place := fmt.Sprintf("answers[%q][%d]", id, i)
			actions, err := flow.ReadActions(a.Actions, flow.Reading{Place: place + ".actions", NewID: uuid.NewString, Fragment: true})
			if err != nil {
				return s, placed(err)
			}
			if len(a.Actions) == 0 {
				actions = nil
			}
			s.Answers[id] = append(s.Answers[id], run.Answer{Failed: a.Failed, Actions: actions, CallStatus: a.CallStatus, Hangup: a.Hangup})
		}
	}
	return s, nil
}

func told(id string, got run.Report) report {
	out := report{
		FlowID: id, Path: []visit{}, Announced: got.Announced, EndReason: got.End.Reason, Hangup: got.End.Hangup, OnComplete: wire.NilUUID,
		DurationMS: got.Took.Milliseconds(), Variables: got.Run.Vars,
	}
	if out.Announced == nil {
		out.Announced = []string{}
	}
	if got.End.OnComplete != nil {
		out.OnComplete = got.End.OnComplete.FlowID
	}
	for _, v := range got.Run.Executed {
		out.Path = append(out.Path, visit{v.Action, v.Frame, v.Outcome, v.Reason})
	}
	return out
}

// world is what a dry run sees: the caller's records.
type world struct{ r *rest.Request }

func (w world) Flow(id string) ([]flow.Action, error) {
	v, err := known(w.r, id)
	return v.Actions, err
}

func (w world) Conference(id string) (name, preFlow, postFlow string, err error) {
	rec, err := w.r.OwnedByID(store.Conference, id)
	if err != nil {
		return "", "", "", err
	}
	c, err := rest.Read[conference.Conference](rec)
	switch {
	case err != nil:
		return "", "", "", err
	case c.Status != conference.Progressing:
		return "", "", "", fault.New(fault.Conflict, "CONFERENCE_NOT_PROGRESSING", "the conference is %s", c.Status)
	case c.Admission == conference.Locked:
		return "", "", "", fault.New(fault.Conflict, "CONFERENCE_LOCKED", "the conference is locked")
	}
	return c.Name, c.PreFlowID, c.PostFlowID, nil
}
