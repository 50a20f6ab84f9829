package tape

import (
	"time"

	"parley/internal/fault"
)

// Start makes the record of a recording that runs. It wants what Normal returned, and says of the ids only where they are set.
func Start(at time.Time, r Recording) Recording {
	r.Status, r.Times = Running, Times{Created: at, Started: at}
	return r
}

// Deadline returns when a recording in its present state has to go on: at its limit, and finish after its stop. Zero means never.
func (r *Recording) Deadline(finish time.Duration) time.Time {
	if r.Status == Running {
		return r.Started.Add(r.Duration)
	}
	if finish > 0 {
		return r.Stopped.Add(finish)
	}
	return time.Time{}
}

// CheckReason returns the reason of a stop, ByRequest for "".
func CheckReason(reason Reason) (Reason, error) {
	var c checks
	reason = choose(&c, "end_reason", reason, Reasons...)
	return reason, c.err
}

// CheckFailure returns what an end in trouble is called, "" for none.
func CheckFailure(failure Reason) error {
	var c checks
	choose(&c, "failure", failure, "", DiskFull, Failed)
	return c.err
}

// CheckPause returns the behavior of a pause, PauseSkip for "".
func CheckPause(behavior string) (string, error) {
	var c checks
	behavior = choose(&c, "behavior", behavior, PauseSkip, PauseSilence)
	return behavior, c.err
}

// Stop is the step from recording to stopping. It has no event of its own: the conference's or the call's tells of it.
func (r Recording) Stop(at time.Time, reason Reason) Recording {
	r.Status, r.EndReason, r.Stopped, r.Updated, r.Paused = Stopping, reason, at, at, ""
	return r
}

// Pause sets the behavior of a pause, "" for none.
func (r Recording) Pause(at time.Time, behavior string) Recording {
	r.Paused, r.Updated = behavior, at
	return r
}

// End is the last step, and returns its event: what is in the file can be had, also when there was trouble. One that still runs stops first.
func (r Recording) End(at time.Time, file File, failure Reason) (ended Recording, event string) {
	if r.Status == Running {
		r = r.Stop(at, ByCrash)
	}
	r.Status, r.File, r.Ended, r.Updated = Ended, file, at, at
	if failure == "" {
		return r, FinishedEvent
	}
	r.EndReason = failure
	return r, FailedEvent
}

// Delete marks one that has ended as deleted; false when it is already. Others are refused with RECORDING_NOT_ENDED.
func (r Recording) Delete(at time.Time) (deleted Recording, changed bool, err error) {
	switch {
	case r.Status != Ended:
		return r, false, fault.New(fault.Conflict, "RECORDING_NOT_ENDED", "recording %s is %s; stop it and wait until it has ended", r.ID, r.Status)
	case !r.Deleted.IsZero():
		return r, false, nil
	}
	r.Deleted, r.Updated = at, at
	return r, true, nil
}
