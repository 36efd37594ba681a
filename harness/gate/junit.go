package gate

import (
	"encoding/xml"
	"fmt"
	"strings"
)

// The elements of JUnit's report as Jenkins' schema and every reader since knows them.
type (
	junitSuites struct {
		XMLName xml.Name     `xml:"testsuites"`
		Suites  []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Skipped  int         `xml:"skipped,attr"`
		Time     string      `xml:"time,attr"`
		Cases    []junitCase `xml:"testcase"`
		Out      string      `xml:"system-out,omitempty"`
	}
	junitCase struct {
		Class   string       `xml:"classname,attr"`
		Name    string       `xml:"name,attr"`
		Skipped *junitReason `xml:"skipped"`
		Error   *junitReason `xml:"error"`
		Failure *junitReason `xml:"failure"`
	}
	junitReason struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr,omitempty"`
	}
)

// JUnit renders the outcome for continuous integration: a test case for each metric and one for the gate as a whole. A regression is a failure, a
// waived one is skipped, and what could not be decided is an error, so that nothing undecided looks passed.
func (o Outcome) JUnit() ([]byte, error) {
	s := junitSuite{Name: "blitzlab gate", Time: fmt.Sprintf("%.3f", o.Took.Seconds()), Out: o.Text()}
	add := func(class, name string, v Verdict, why string) {
		c := junitCase{Class: class, Name: name}
		r := &junitReason{why, string(v)}
		switch v {
		case Pass:
		case Waived:
			c.Skipped = &junitReason{Message: why}
			s.Skipped++
		case Regression:
			c.Failure = r
			s.Failures++
		default:
			c.Error = r
			s.Errors++
		}
		s.Tests++
		s.Cases = append(s.Cases, c)
	}
	for _, d := range o.Decisions {
		add(d.Scenario, d.Metric.Name, d.Verdict, d.Reason)
	}
	add("gate", "verdict", o.Verdict, strings.Join(o.Notes, " "))
	b, err := xml.MarshalIndent(junitSuites{Suites: []junitSuite{s}}, "", "  ")
	if err != nil {
		return nil, err
	}
	return append([]byte(xml.Header), append(b, '\n')...), nil
}
