package call

import (
	"bytes"
	"slices"

	"parley/internal/wire"
)

func (d *decision) mute(m Mute) error {
	direction, err := wire.OneOf(m.Direction, "", "in", "out", "both")
	if err != nil {
		return invalid("direction", err)
	}
	if d.next.Status == Ended {
		return d.over()
	}
	if direction != d.next.MuteDirection {
		d.change(CallUpdated, func(c *Call) { c.MuteDirection = direction })
	}
	return nil
}

func (d *decision) act(a Act) error {
	if d.next.Status == Ended || bytes.Equal(a.Action, d.next.Run.Action) {
		return nil
	}
	d.change(CallUpdated, func(c *Call) { c.Run.Action = slices.Clone(a.Action) })
	return nil
}

func (d *decision) tape(t Tape) error {
	id, err := wire.RequiredUUID(t.RecordingID)
	if err != nil {
		return invalid("recording_id", err)
	}
	switch {
	case t.Ended && d.next.RecordingID == id:
		d.change(CallUpdated, func(c *Call) { c.RecordingID = "" })
	case t.Ended || d.next.RecordingID == id:
	case d.next.Status == Ended:
		return d.over()
	default:
		d.change(CallUpdated, func(c *Call) {
			c.RecordingID, c.RecordingIDs = id, append(slices.Clone(c.RecordingIDs), id)
		})
	}
	return nil
}

func (d *decision) chain(l Chain) error {
	id, err := wire.RequiredUUID(l.CallID)
	if err != nil {
		return invalid("chained_call_ids", err)
	}
	if d.next.Status != Ended && !slices.Contains(d.next.ChainedCallIDs, id) {
		d.change(CallUpdated, func(c *Call) { c.ChainedCallIDs = append(slices.Clone(c.ChainedCallIDs), id) })
	}
	return nil
}
