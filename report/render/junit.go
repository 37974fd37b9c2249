package render

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/render/layout"
)

// The elements of JUnit XML as CI systems read them
// (https://github.com/testmoapp/junitxml).
type junitSuites struct {
	XMLName xml.Name     `xml:"testsuites"`
	Suites  []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name       string          `xml:"name,attr"`
	Tests      int             `xml:"tests,attr"`
	Failures   int             `xml:"failures,attr"`
	Errors     int             `xml:"errors,attr"`
	Time       string          `xml:"time,attr"`
	Timestamp  string          `xml:"timestamp,attr"`
	Properties []junitProperty `xml:"properties>property"`
	Cases      []junitCase     `xml:"testcase"`
	SystemOut  string          `xml:"system-out"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitCase struct {
	Name      string        `xml:"name,attr"`
	ClassName string        `xml:"classname,attr"`
	Time      string        `xml:"time,attr"`
	Failure   *junitProblem `xml:"failure,omitempty"`
	Error     *junitProblem `xml:"error,omitempty"`
}

type junitProblem struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",chardata"`
}

// JUnit writes a report as JUnit XML: the verdict is a case, and so is every
// gate. A gate that could not be judged is an error, a failed one a failure.
func JUnit(w io.Writer, r *report.Report) error {
	p := pageOf(r)
	seconds := fmt.Sprintf("%.3f", max(0, r.Ended.Sub(r.Started).Seconds()))
	class := "rampload." + layout.Clean(r.Name)
	suite := junitSuite{
		Name: "rampload " + layout.Clean(r.Name), Time: seconds, Timestamp: r.Started.UTC().Format("2006-01-02T15:04:05"),
		Properties: []junitProperty{
			{"label", layout.Clean(r.Label)},
			{"exit_code", fmt.Sprint(r.ExitCode)},
			{"cause", layout.Clean(firstFinding(r).Cause)},
			{"fingerprint", layout.Clean(r.Profile.Fingerprint)},
		},
	}
	verdict := junitCase{Name: "verdict", ClassName: class, Time: seconds}
	problem := &junitProblem{Message: layout.Clean(p.Headline), Type: p.Word, Text: layout.Clean(firstFinding(r).Summary)}
	switch p.Word {
	case wordFailed, wordAborted:
		verdict.Failure = problem
	case wordNoVerdict, wordInterrupted, wordIncomplete, wordNotRun:
		verdict.Error = problem
	}
	suite.Cases = append(suite.Cases, verdict)
	for _, g := range r.Gates {
		c := junitCase{Name: layout.Clean(g.Expr), ClassName: class, Time: "0"}
		switch g.Result {
		case report.GateFailed:
			c.Failure = &junitProblem{Message: layout.Clean(g.Reason), Type: "gate", Text: "value " + gateValue(g)}
		case report.GateUndecided:
			c.Error = &junitProblem{Message: layout.Clean(g.Reason), Type: "undecided", Text: "value " + gateValue(g)}
		}
		suite.Cases = append(suite.Cases, c)
	}
	for _, c := range suite.Cases {
		suite.Tests++
		if c.Failure != nil {
			suite.Failures++
		}
		if c.Error != nil {
			suite.Errors++
		}
	}
	var table bytes.Buffer
	if err := Table(&table, r, layout.Options{Width: 100}); err != nil {
		return err
	}
	suite.SystemOut = table.String()
	b, err := xml.MarshalIndent(junitSuites{Suites: []junitSuite{suite}}, "", "  ")
	if err != nil {
		return fmt.Errorf("write JUnit XML: %w", err)
	}
	_, err = fmt.Fprintf(w, "%s%s\n", xml.Header, b)
	return err
}
