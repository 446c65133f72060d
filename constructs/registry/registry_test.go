package registry

import "testing"

func TestReleasesOutliveCommitsAndUntaggedImagesGo(t *testing.T) {
	want := `{"rules":[` +
		`{"rulePriority":1,"description":"keep the last 50 releases","selection":{"tagStatus":"tagged","tagPatternList":["v*"],"countType":"imageCountMoreThan","countNumber":50},"action":{"type":"expire"}},` +
		`{"rulePriority":2,"description":"keep the last 100 commits","selection":{"tagStatus":"tagged","tagPatternList":["commit-*"],"countType":"imageCountMoreThan","countNumber":100},"action":{"type":"expire"}},` +
		`{"rulePriority":3,"description":"drop untagged images after 14 days","selection":{"tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":14},"action":{"type":"expire"}}]}`
	if got := lifecycle(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestARepositoryIsNamedTheSameEverywhere(t *testing.T) {
	if got, want := URL("111122223333", "eu-west-1", "shop"), "111122223333.dkr.ecr.eu-west-1.amazonaws.com/shop"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := ARN("111122223333", "eu-west-1", "shop", "orders"), "arn:aws:ecr:eu-west-1:111122223333:repository/shop/orders"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
