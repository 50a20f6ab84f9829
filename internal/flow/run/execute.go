package run

import (
	"time"

	"parley/internal/call"
	"parley/internal/flow"
	"parley/internal/flow/action"
)

// execute carries out the present action as far as that needs nobody else. ready says that a step follows.
func (r *Run) execute(at time.Time) (Step, bool) {
	f := r.top()
	a := f.Actions[f.At]
	if a.Type == action.Goto && r.spent(a) {
		return Step{}, false // passed by: it costs nothing
	}
	if len(r.Executed) >= ActionsMax {
		return r.over(End{Reason: "FLOW_TOO_MANY_ACTIONS", Hangup: call.Failed}), true
	}
	v := r.visit(a, at)
	if reason := r.misplaced(a.Type); reason != "" {
		v.Outcome, v.Reason = Skipped, reason
		return Step{}, false
	}
	filled, ok := r.Vars.fill(a.Option)
	if !ok {
		return r.fail("ACTION_OPTION_INVALID")
	}
	option, err := action.Read(a.Type, filled, action.Final)
	if err != nil {
		return r.fail("ACTION_OPTION_INVALID")
	}
	v.Action.Option = r.show(v.Action.Option, filled)
	if reason := r.Env.Unavailable[a.Type]; reason != "" {
		return r.fail(reason)
	}
	return r.perform(v, option, at)
}

// misplaced returns why the type cannot run here, "" when it can.
func (r *Run) misplaced(t action.Type) string {
	switch {
	case t.Place() == action.OnCall && !r.Env.onCall():
		return "ACTION_NEEDS_CALL"
	case t.Place() == action.OffCall && r.Env.onCall():
		return "ACTION_NOT_ON_CALLS"
	}
	return ""
}

// perform does what the run does itself, and makes a step of everything else.
func (r *Run) perform(v *Visit, option action.Option, at time.Time) (Step, bool) {
	switch o := option.(type) {
	case *action.Branching:
		return r.branch(o)
	case *action.Jump:
		r.top().Left[v.Action.ID]--
		return r.leap(o.TargetID)
	case *action.IfDigits:
		return r.unless(o.Holds(r.Vars[varDigits]), o.FalseTargetID)
	case *action.IfStatus:
		return r.unless(o.Status == r.Vars[varStatus], o.FalseTargetID)
	case *action.IfTime:
		return r.unless(o.Holds(at), o.FalseTargetID)
	case *action.IfVariable:
		return r.unless(o.Holds(), o.FalseTargetID)
	case *action.Setting:
		if reason := r.Vars.set(o.Key, o.Value); reason != "" {
			return r.fail(reason)
		}
		r.Typed = o.Key == varDigits || r.Typed
		v.Outcome = Done
		return Step{}, false
	case *action.Ending:
		v.Outcome = Done
		reason := call.HangupReason(o.Reason)
		if reason == "" {
			reason = call.Normal
		}
		return r.over(End{Reason: HungUp, Hangup: reason, HangupLike: o.ReferenceID}), true
	case *action.Receiving:
		return r.receive(v, o)
	case *action.None:
		if v.Action.Type == action.Empty {
			v.Outcome = Done
			return Step{}, false
		}
		if v.Action.Type == action.Stop {
			v.Outcome = Done
			return r.over(End{Reason: Stopped, Hangup: call.Normal}), true
		}
	}
	return r.do(v, option), true
}

func (r *Run) do(v *Visit, option action.Option) Step {
	r.Waiting = ForAction
	r.Step = Step{Kind: Do, Action: v.Action, Option: option}
	if v.Action.Type == action.ConfbridgeJoin && r.entering() == 1 {
		r.Step.Participant = r.top().Participant
	}
	if v.Action.Type == action.DigitsReceive {
		r.Step.Have = r.typed()
	}
	return r.Step
}

// typed returns the digits that nobody has collected yet.
func (r *Run) typed() string {
	if !r.Typed {
		return ""
	}
	return r.Vars[varDigits]
}

// receive takes digits that are there already; only if they are not enough somebody has to wait for more.
func (r *Run) receive(v *Visit, o *action.Receiving) (Step, bool) {
	value, _, complete := o.Take(r.typed())
	if !complete {
		return r.do(v, o), true
	}
	r.Vars[varDigits], r.Typed = value, false
	v.Outcome = Done
	return Step{}, false
}

func (r *Run) branch(o *action.Branching) (Step, bool) {
	target, known := o.TargetIDs[r.Vars[o.Variable]]
	if !known {
		target = o.DefaultTargetID
	}
	if _, set := r.Vars[o.Variable]; set {
		r.Vars[o.Variable] = ""
	}
	r.Typed = r.Typed && o.Variable != varDigits
	return r.leap(target)
}

// unless goes on when the condition holds and jumps to the target when it does not.
func (r *Run) unless(holds bool, target string) (Step, bool) {
	if !holds {
		return r.leap(target)
	}
	r.settle(Done, "")
	return Step{}, false
}

// leap makes the target the action that comes next.
func (r *Run) leap(target string) (Step, bool) {
	r.settle(Done, "")
	switch target {
	case flow.FinishID:
		return r.over(End{Reason: Finished, Hangup: call.Normal}), true
	case flow.NextID:
		r.top().At++
	default:
		if target == "" || !r.jump(target) {
			r.Executed[len(r.Executed)-1].Outcome = Running
			return r.fail("ACTION_TARGET_UNKNOWN")
		}
	}
	r.leapt = true
	return Step{}, false
}

// spent reports whether a goto has no jump left; it counts them from its first execution on.
func (r *Run) spent(a flow.Action) bool {
	f := r.top()
	left, known := f.Left[a.ID]
	if !known {
		o, err := action.Read(a.Type, a.Option, action.Written)
		if err != nil {
			return false
		}
		left = o.(*action.Jump).LoopCount
		if f.Left == nil {
			f.Left = map[string]int64{}
		}
		f.Left[a.ID] = left
	}
	return left <= 0
}
