package github

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// Job is one job of a run, as act's log tells it.
type Job struct {
	ID int `json:"id"`
	// Name is that of the job, with the calling one's before it where a reusable workflow holds it.
	Name string `json:"name"`
	// Status is in_progress or completed; Conclusion is success or failure, and nothing before.
	Status     string    `json:"status"`
	Conclusion *string   `json:"conclusion"`
	Started    time.Time `json:"started_at"`
	Completed  time.Time `json:"completed_at"`
	// Log is what its steps printed, each line with its time as GitHub has it.
	Log string `json:"-"`
	// Summary is what the steps wrote for the run's page.
	Summary string `json:"-"`
}

// line is one of act's log.
type line struct {
	Job        string         `json:"job"`
	JobID      string         `json:"jobID"`
	Matrix     map[string]any `json:"matrix"`
	Message    string         `json:"msg"`
	Raw        bool           `json:"raw_output"`
	Command    string         `json:"command"`
	Content    string         `json:"content"`
	Stage      string         `json:"stage"`
	StepResult string         `json:"stepResult"`
	JobResult  string         `json:"jobResult"`
	Time       time.Time      `json:"time"`
}

// Jobs are those of a run that began, in that order. What act skips it does not mention.
func (s Store) Jobs(run int) ([]Job, error) {
	file, err := os.Open(s.Log(run))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("there is no run %d", run)
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var jobs []*Job
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 16<<20)
	failed := map[*Job]bool{}
	for lines.Scan() {
		var l line
		if json.Unmarshal(lines.Bytes(), &l) != nil || l.Job == "" {
			continue // the last line while act writes it, and what is of no job
		}
		name := l.name()
		i := slices.IndexFunc(jobs, func(j *Job) bool { return j.Name == name })
		if i < 0 {
			i = len(jobs)
			jobs = append(jobs, &Job{ID: run*1000 + i, Name: name, Status: "in_progress", Started: l.Time})
		}
		jobs[i].take(l, failed)
	}
	var all []Job
	for _, job := range jobs {
		all = append(all, *job)
	}
	return all, lines.Err()
}

// name is GitHub's for the job: act calls it by files and numbers.
func (l line) name() string {
	name := l.JobID
	if parts := strings.Split(l.Job, "/"); len(parts) == 3 {
		name = parts[0] + " / " + l.JobID
	}
	if len(l.Matrix) == 0 {
		return name
	}
	var values []string
	for key := range l.Matrix {
		values = append(values, key)
	}
	slices.Sort(values)
	for i, key := range values {
		values[i] = fmt.Sprint(l.Matrix[key])
	}
	return name + " (" + strings.Join(values, ", ") + ")"
}

func (j *Job) take(l line, failed map[*Job]bool) {
	switch {
	case l.Command == "summary":
		j.Summary += l.Content
	case l.Raw || slices.Contains([]string{"error", "warning", "notice"}, l.Command):
		j.Log += l.Time.UTC().Format("2006-01-02T15:04:05.0000000Z") + " " + strings.TrimRight(l.Message, "\n") + "\n"
	case l.StepResult == "failure":
		failed[j] = true
	}
	if l.JobResult != "" {
		// act gives every job of a matrix the result of all of them.
		conclusion := l.JobResult
		if len(l.Matrix) > 0 && !failed[j] {
			conclusion = "success"
		}
		j.Status, j.Conclusion, j.Completed = "completed", &conclusion, l.Time
	}
}

// OK tells whether the job ended well.
func (j Job) OK() bool { return j.Conclusion != nil && *j.Conclusion == "success" }
