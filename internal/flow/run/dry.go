package run

import (
	"strings"
	"time"

	"parley/internal/call"
	"parley/internal/fault"
	"parley/internal/flow"
	"parley/internal/flow/action"
)

// World is what a dry run can find out about other records. Errors become the reasons of failures.
type World interface {
	// Flow returns the actions of another flow of the customer.
	Flow(id string) ([]flow.Action, error)
	// Conference returns a conference's name and the ids of its pre-flow and post-flow, "" for none; an error when nobody can enter it.
	Conference(id string) (name, preFlow, postFlow string, err error)
}

// Script is what happens to the call in a dry run.
type Script struct {
	At     time.Time // when it begins
	Digits string    // what the caller types: each digits_receive takes its part, a comma is silence until it gives up
	// Answers are what comes of steps, by the id of their action, in order; the last one is repeated. A step without one succeeds.
	Answers map[string][]Answer
	// Conference is why the call leaves each conference, so that the flow goes on after it; "" is left.
	Conference string
}

// Answer is what comes of one step.
type Answer struct {
	Failed     string
	Actions    []flow.Action // of fetch
	CallStatus call.Status
	Hangup     call.HangupReason
}

// Report is what a dry run did: the run as it was at its end, and what the caller would have been told on the way.
type Report struct {
	Run       *Run
	Announced []string
	End       End
	Took      time.Duration // of the steps that have a length
}

// CheckDigits refuses digits that cannot be typed.
func CheckDigits(digits string) error {
	if len(digits) > 1000 || strings.Trim(digits, "0123456789ABCD*#,") != "" {
		return fault.New(fault.Invalid, "INVALID_ARGUMENT", "digits: it must be at most 1000 of 0-9 A-D * # and commas for silence")
	}
	return nil
}

// DryRun walks through the actions as a run on a call does, with the script in the place of the caller. The path is the real run's whenever the
// steps have the same results.
func DryRun(env Env, actions []flow.Action, s Script, w World) (Report, error) {
	r, err := Start(env, actions)
	if err != nil {
		return Report{}, err
	}
	d := dry{script: s, world: w, digits: s.Digits, at: s.At, used: map[string]int{}}
	report := Report{Run: r}
	step := r.Next(Result{At: d.at, CallStatus: call.Progressing})
	for step.Kind != Over {
		in := Result{}
		if step.Kind == Announce {
			report.Announced = append(report.Announced, step.Reason)
		} else {
			in = d.perform(step)
		}
		in.At = d.at
		step = r.Next(in)
	}
	report.End, report.Took = step.End, d.at.Sub(s.At)
	return report, nil
}

// paper is the participant of dry runs.
const paper = "00000000-0000-4000-8000-000000000000"

// dry performs steps on paper.
type dry struct {
	script Script
	world  World
	digits string // not typed yet
	at     time.Time
	used   map[string]int // answers given, by action
	post   []string       // post-flows of the conferences that the call is on its way into
}

func (d *dry) perform(s Step) (in Result) {
	if list := d.script.Answers[s.Action.ID]; len(list) > 0 {
		n := d.used[s.Action.ID]
		d.used[s.Action.ID]++
		a := list[min(n, len(list)-1)]
		in = Result{Failed: a.Failed, Actions: a.Actions, CallStatus: a.CallStatus, Hangup: a.Hangup}
	}
	switch o := s.Option.(type) {
	case *action.Lasting:
		d.pass(o.Duration)
	case *action.Receiving:
		in.Digits = d.collect(o, s.Have)
	case *action.Fetching:
		if s.Action.Type == action.FetchFlow && in.Failed == "" {
			in.FlowID = o.FlowID
			in.Actions, in.Failed = d.flow(o.FlowID)
		} else if in.Actions == nil && in.Failed == "" {
			in.Failed = "FETCH_NOT_IN_DRY_RUN"
		}
	case *action.Joining:
		d.join(s, o, &in)
	}
	return in
}

func (d *dry) pass(ms int64) { d.at = d.at.Add(time.Duration(ms) * time.Millisecond) }

// collect lets the caller type until the collection is complete, a comma, or the end of what there is to type.
func (d *dry) collect(o *action.Receiving, have string) string {
	typed, rest, silent := strings.Cut(d.digits, ",")
	value, left, complete := o.Take(have + typed)
	if !complete {
		d.pass(o.Duration)
		d.digits = rest
		return value
	}
	if d.digits = left; silent {
		d.digits += "," + rest
	}
	return value
}

func (d *dry) flow(id string) (list []flow.Action, failed string) {
	if id == "" {
		return nil, ""
	}
	list, err := d.world.Flow(id)
	if err != nil {
		return nil, fault.ReasonOf(err)
	}
	return list, ""
}

func (d *dry) join(s Step, o *action.Joining, in *Result) {
	if in.Failed != "" {
		return
	}
	if s.Action.Type == action.ConferenceJoin {
		name, pre, post, err := d.world.Conference(o.ConferenceID)
		if err != nil {
			in.Failed = fault.ReasonOf(err)
			return
		}
		in.Conference = Conference{ID: o.ConferenceID, Name: name, Participant: paper}
		d.post = append(d.post, post)
		in.FlowID = pre
		in.Actions, in.Failed = d.flow(pre)
		return
	}
	if s.Participant == "" {
		return
	}
	in.Conference.Result = d.script.Conference
	if in.Conference.Result == "" {
		in.Conference.Result = "left"
	}
	if n := len(d.post); n > 0 {
		in.FlowID, d.post = d.post[n-1], d.post[:n-1]
		in.Actions, _ = d.flow(in.FlowID) // a post-flow that is gone is none
	}
}
