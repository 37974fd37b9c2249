package http2

import (
	"golang.org/x/net/http2"
)

func (reader *reader) settings(f *http2.SettingsFrame) error {
	c := reader.c
	if f.IsAck() {
		return reader.useless(1)
	}
	if !c.settled {
		// A peer that does not say how many has no limit (RFC 9113 §6.5.2).
		c.settled, c.maxStreams = true, 1<<31-1
	}
	err := f.ForeachSetting(func(v http2.Setting) error {
		if v.Valid() != nil {
			return malformed(SettingsFrame, http2.ErrCodeProtocol)
		}
		switch v.ID {
		case http2.SettingEnablePush:
			if v.Val != 0 { // RFC 9113 §6.5.2: a server does not push to itself
				return malformed(SettingsFrame, http2.ErrCodeProtocol)
			}
		case http2.SettingMaxConcurrentStreams:
			c.maxStreams = v.Val
		case http2.SettingMaxFrameSize:
			c.maxFrame = int(min(v.Val, maxQueue/4))
		case http2.SettingHeaderTableSize:
			// We never use the table, but say so when it must shrink.
			if size := min(v.Val, 4096); size < c.tableSize {
				c.tableCut, c.tableSize = true, size
			}
		case http2.SettingInitialWindowSize:
			grown := int64(v.Val) - c.initialWindow
			c.initialWindow = int64(v.Val)
			for s := c.open.head; s != nil; s = s.links[inOrder].next {
				if s.window += grown; s.window > maxWindow {
					return malformed(WindowFrame, http2.ErrCodeFlowControl)
				}
				if s.maySend() {
					c.senders.push(s)
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	_ = c.out.control.WriteSettingsAck()
	c.out.kick()
	c.updateRoom()
	c.pump()
	return reader.useless(1 + f.NumSettings()/8)
}

func (reader *reader) pong(f *http2.PingFrame) error {
	c := reader.c
	if f.IsAck() {
		c.life.pinged = Never
		return reader.useless(1)
	}
	_ = c.out.control.WritePing(true, f.Data)
	c.out.kick()
	return reader.useless(1)
}

func (reader *reader) goneAway(f *http2.GoAwayFrame) error {
	c := reader.c
	if c.goAway == nil || f.LastStreamID <= c.goAway.Last {
		away := &GoAwayError{Code: f.ErrCode, Last: f.LastStreamID}
		if p := f.DebugData(); len(p) <= maxReason {
			away.Reason = string(p)
		}
		if away.Reason == "" && c.goAway != nil {
			away.Reason = c.goAway.Reason // of the warning before it
		}
		c.goAway = away
	}
	c.close()
	for s := c.open.tail; s != nil && s.id > c.goAway.Last; {
		before := s.links[inOrder].prev
		c.finish(s, c.goAway)
		s = before
	}
	return reader.useless(1)
}

func (reader *reader) windowUpdate(f *http2.WindowUpdateFrame) error {
	c := reader.c
	if f.StreamID == 0 {
		if c.sendWindow += int64(f.Increment); c.sendWindow > maxWindow {
			return malformed(WindowFrame, http2.ErrCodeFlowControl)
		}
	} else {
		if reader.idle(f.StreamID) {
			return malformed(IdleStream, http2.ErrCodeProtocol)
		}
		s := c.streams.find(f.StreamID)
		if s == nil {
			return reader.useless(1)
		}
		if s.window += int64(f.Increment); s.window > maxWindow {
			c.streamFailed(s, malformed(WindowFrame, http2.ErrCodeFlowControl))
			return nil
		}
		if s.maySend() {
			c.senders.push(s)
		}
	}
	c.pump()
	return reader.useless(1)
}
