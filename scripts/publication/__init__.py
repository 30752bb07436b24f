"""From the build file to readers: publications, what they were made from, the summary of a night."""
