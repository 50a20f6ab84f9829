package script

import (
	"context"

	"parley/internal/call"
	"parley/internal/flow"
	"parley/internal/flow/action"
	"parley/internal/flow/run"
)

// join performs conference_join and confbridge_join.
func (w *walk) join(ctx context.Context, step run.Step, o *action.Joining) (outcome, error) {
	if w.stage.Rooms == nil {
		return outcome{}, unavailable
	}
	w.hush()
	if step.Action.Type == action.ConferenceJoin {
		return w.approach(ctx, o.ConferenceID)
	}
	if s := w.seat(step.Participant); s != nil {
		return w.enter(ctx, s)
	}
	took, err := w.stage.Rooms.Join(ctx, o.ConfbridgeID)
	if err != nil {
		return outcome{}, err
	}
	s := &seat{Seat: took, place: took.Place()}
	out, err := w.enter(ctx, s)
	if ctx.Err() != nil {
		w.leave(ctx, s, byHangup)
	}
	out.left, out.Actions, out.FlowID = nil, nil, "" // it is on no way that the run knows
	out.Conference.ID, out.Conference.Name, out.Conference.Participant = s.place.Conference, s.place.Name, s.place.Participant
	return out, err
}

// approach makes the participant and finds its pre-flow.
func (w *walk) approach(ctx context.Context, conferenceID string) (out outcome, err error) {
	took, err := w.stage.Rooms.Join(ctx, conferenceID)
	if err != nil {
		return out, err
	}
	s := &seat{Seat: took, place: took.Place()}
	out.Actions, err = w.actionsOf(ctx, s.place.PreFlow)
	if err != nil {
		w.leave(ctx, s, byRefusal)
		return out, err
	}
	out.seat, out.FlowID = s, s.place.PreFlow
	out.Conference = run.Conference{ID: s.place.Conference, Name: s.place.Name, Participant: s.place.Participant}
	return out, nil
}

// enter brings the participant into the mix, stays until it has left, and finds the post-flow.
func (w *walk) enter(ctx context.Context, s *seat) (out outcome, err error) {
	result, err := s.Enter(ctx)
	if ctx.Err() != nil {
		return out, ctx.Err() // whoever has ended it gives the place up
	}
	out.left = s
	if err != nil {
		return out, err
	}
	out.Conference.Result, out.CallStatus = result, call.Progressing
	after, err := w.actionsOf(ctx, s.place.PostFlow)
	if err != nil {
		w.p.o.Log.Warn("no post-flow", "activeflow", w.id(), "flow", s.place.PostFlow, "error", err) // one that is gone is none
		return out, nil
	}
	out.Actions, out.FlowID = after, s.place.PostFlow
	return out, nil
}

func (w *walk) leave(ctx context.Context, s *seat, reason string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.p.o.WriteTimeout)
	defer cancel()
	s.Leave(ctx, reason)
}

// actionsOf returns the actions of a flow of the customer's, none for "".
func (w *walk) actionsOf(ctx context.Context, id string) ([]flow.Action, error) {
	if id == "" {
		return nil, nil
	}
	f, err := w.p.Flow(ctx, w.plan.CustomerID, id)
	return f.Actions, err
}
