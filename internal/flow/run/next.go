package run

import (
	"encoding/json"
	"strconv"
	"time"

	"parley/internal/call"
	"parley/internal/flow"
	"parley/internal/flow/action"
)

// Next takes what came of the last step and returns the next one. The first Next takes a Result with nothing but a time. After Over it returns
// the same Over again.
func (r *Run) Next(in Result) Step {
	if r.Waiting == ForNothing {
		return r.Step
	}
	r.learn(in)
	if in.Hangup != "" {
		r.settle(Done, "")
		return r.over(End{Reason: HungUp, Hangup: in.Hangup})
	}
	if r.Waiting == ForAction {
		if step, ready := r.take(in); ready {
			return step
		}
	}
	return r.walk(in.At)
}

// Digits tells the run of digits outside of digits_receive. The first one replaces what was collected before, those that follow are added, so that a
// PIN can be typed into its prompt. While the call is elsewhere (in a conference, connected, in an echo) each digit replaces the one before.
func (r *Run) Digits(digits string) {
	if digits == "" || r.Waiting == ForNothing {
		return
	}
	have := r.Vars[varDigits]
	switch {
	case r.Waiting == ForAction && elsewhere(r.Step.Action.Type):
		have = digits[len(digits)-1:]
	case r.Typed:
		have += digits
	default:
		have = digits
	}
	r.Vars[varDigits], r.Typed = have[:min(len(have), digitsKept)], true
}

const digitsKept = 100

// elsewhere reports whether digits typed meanwhile are for somebody else, and nothing to collect afterwards.
func elsewhere(t action.Type) bool {
	return t == action.ConfbridgeJoin || t == action.Connect || t == action.Echo || t == action.StreamEcho
}

// Interrupt ends the participant's way into the mix from outside: the pre-flow is left, the result (kicked, terminated, timeout, peer_left, lost) is in
// the variables, the caller is told, and the flow goes on after its conference_join. in.Conference.Participant says whose way it is, "" for the innermost. Without
// it on the stack Interrupt is Next.
func (r *Run) Interrupt(in Result) Step {
	if r.Waiting == ForNothing {
		return r.Step
	}
	who := in.Conference.Participant
	for i := len(r.Frames) - 1; i >= 0; i-- {
		if r.Frames[i].Kind == PreFlow && (who == "" || who == r.Frames[i].Participant) {
			r.settle(Failed, interrupted)
			r.Frames = r.Frames[:i]
			in.Hangup, in.Actions = "", nil
			r.learn(in)
			return r.announce(interrupted)
		}
	}
	return r.Next(in)
}

const interrupted = "CONFERENCECALL_LEAVED"

// End ends the run from outside, with one of the reasons above or that of a failure.
func (r *Run) End(reason string) Step {
	if r.Waiting == ForNothing {
		return r.Step
	}
	r.settle(Failed, reason)
	return r.over(End{Reason: reason, Hangup: call.Normal})
}

// learn notes what a result says besides the action's own outcome.
func (r *Run) learn(in Result) {
	for name, value := range in.Variables {
		r.Vars[name] = value
	}
	if in.CallStatus != "" {
		r.Vars[varStatus] = string(in.CallStatus)
	}
	c := in.Conference
	for name, value := range map[string]string{
		varConference: c.ID, varConferenceName: c.Name, varParticipant: c.Participant, varConferenceResult: c.Result,
	} {
		if value != "" {
			r.Vars[name] = value
		}
	}
}

// settle writes what came of the action that ran.
func (r *Run) settle(o Outcome, reason string) {
	if n := len(r.Executed); n > 0 && r.Executed[n-1].Outcome == Running {
		r.Executed[n-1].Outcome, r.Executed[n-1].Reason = o, reason
	}
}

// take applies the result of an action. ready says that a step follows from it at once.
func (r *Run) take(in Result) (step Step, ready bool) {
	ran := &r.Executed[len(r.Executed)-1]
	if elsewhere(ran.Action.Type) {
		r.Typed = false
	}
	if in.Failed != "" {
		return r.fail(in.Failed)
	}
	ran.Outcome = Done
	switch ran.Action.Type {
	case action.DigitsReceive:
		r.Vars[varDigits], r.Typed = in.Digits, false
	case action.Fetch, action.FetchFlow:
		kind := Fetched
		if ran.Action.Type == action.FetchFlow {
			kind = Called
		}
		return r.push(Frame{Kind: kind, FlowID: in.FlowID, Actions: in.Actions})
	case action.ConferenceJoin:
		return r.enter(in)
	case action.ConfbridgeJoin:
		r.Frames = r.Frames[:len(r.Frames)-r.entering()]
		if len(in.Actions) > 0 {
			return r.push(Frame{Kind: PostFlow, FlowID: in.FlowID, Actions: in.Actions})
		}
	}
	return Step{}, false
}

// entering is 1 when the present action is the last of a pre-flow, which is left with it.
func (r *Run) entering() int {
	if f := r.top(); f.Kind == PreFlow && f.At == len(f.Actions)-1 {
		return 1
	}
	return 0
}

// enter pushes the way into the mix: the pre-flow, and entering as its last action.
func (r *Run) enter(in Result) (Step, bool) {
	c := in.Conference
	r.Vars[varConferenceResult], r.Vars[varConferenceReason] = "", ""
	option, _ := json.Marshal(map[string]string{"confbridge_id": c.ID}) // a map of texts can be written
	list := make([]flow.Action, 0, len(in.Actions)+1)
	list = append(list, in.Actions...)
	list = append(list, flow.Action{ID: c.Participant, Type: action.ConfbridgeJoin, Option: option})
	return r.push(Frame{Kind: PreFlow, FlowID: in.FlowID, Actions: list, Participant: c.Participant, Conference: c.ID})
}

func (r *Run) push(f Frame) (Step, bool) {
	if len(r.Frames) >= framesMax {
		return r.over(End{Reason: "FLOW_TOO_DEEP", Hangup: call.Failed}), true
	}
	f.At = -1
	r.Frames = append(r.Frames, f)
	return Step{}, false
}

// fail applies the rule for an action that failed: what the flow's course depends on ends the run; a conference that cannot be entered is
// announced, and the flow goes on after its conference_join; anything else goes on with the next action.
func (r *Run) fail(reason string) (Step, bool) {
	r.settle(Failed, reason)
	switch r.Executed[len(r.Executed)-1].Action.Type {
	case action.ConferenceJoin, action.ConfbridgeJoin:
		r.Frames = r.Frames[:len(r.Frames)-r.entering()]
		r.Vars[varConferenceResult] = "refused"
		return r.announce(reason), true
	case action.Branch, action.Goto, action.ConditionCallDigits, action.ConditionCallStatus, action.ConditionDatetime, action.ConditionVariable,
		action.Fetch, action.FetchFlow:
		return r.over(End{Reason: reason, Hangup: call.Failed}), true
	}
	return Step{}, false
}

func (r *Run) announce(reason string) Step {
	r.Vars[varConferenceReason] = reason
	r.Waiting = ForAnnounce
	r.Step = Step{Kind: Announce, Reason: reason}
	return r.Step
}

func (r *Run) over(e End) Step {
	if id := r.Env.OnCompleteFlowID; id != "" {
		if e.TooDeep = r.Env.CompleteCount >= CompletesMax; !e.TooDeep {
			e.OnComplete = &Complete{FlowID: id, Count: r.Env.CompleteCount + 1}
		}
	}
	r.Waiting, r.Frames = ForNothing, nil
	r.Step = Step{Kind: Over, End: e}
	return r.Step
}

func (r *Run) top() *Frame { return &r.Frames[len(r.Frames)-1] }

// walk goes on until there is a step.
func (r *Run) walk(at time.Time) Step {
	for range turnsMax {
		if !r.advance() {
			return r.over(End{Reason: Finished, Hangup: call.Normal})
		}
		if step, ready := r.execute(at); ready {
			return step
		}
	}
	return r.over(End{Reason: "FLOW_LOOP", Hangup: call.Failed})
}

// advance moves to the action after the present one; false when there is none.
func (r *Run) advance() bool {
	for len(r.Frames) > 0 {
		f := r.top()
		if r.leapt {
			if r.leapt = false; f.At < len(f.Actions) {
				return true
			}
			r.Frames = r.Frames[:len(r.Frames)-1]
			continue
		}
		next := ""
		if f.At >= 0 && f.At < len(f.Actions) {
			next = f.Actions[f.At].NextID
		}
		switch {
		case next == flow.FinishID:
			return false
		case next == "" || next == flow.NextID || !r.jump(next):
			f.At++
		}
		if f = r.top(); f.At < len(f.Actions) {
			return true
		}
		r.Frames = r.Frames[:len(r.Frames)-1]
	}
	return false
}

// jump moves to the action with the id: in the present frame or, leaving that, in one below, but never out of a participant's way into its
// conference.
func (r *Run) jump(id string) bool {
	for i := len(r.Frames) - 1; i >= 0; i-- {
		for at, a := range r.Frames[i].Actions {
			if a.ID == id {
				r.Frames = r.Frames[:i+1]
				r.Frames[i].At = at
				return true
			}
		}
		if r.Frames[i].Kind == PreFlow {
			return false
		}
	}
	return false
}

// visit notes that the present action is being executed.
func (r *Run) visit(a flow.Action, at time.Time) *Visit {
	a.Executed, a.Option = flow.Time(at), r.show(nil, a.Option)
	r.Executed = append(r.Executed, Visit{Action: a, Frame: r.top().Kind})
	return &r.Executed[len(r.Executed)-1]
}

// small options are never left out: saying so is no shorter.
const small = 32

// show returns the option as Executed has it, in the place of what it had. A run that goes in circles repeats its options: what is too much in all
// is left out, with how much that was.
func (r *Run) show(had, option json.RawMessage) json.RawMessage {
	if r.Shown -= len(had); r.Shown+len(option) > shownMax && len(option) > small {
		option = []byte(`{"omitted_bytes":` + strconv.Itoa(len(option)) + `}`)
	}
	r.Shown += len(option)
	return option
}
