"""Students' attacks against students' rules, each submission in a process of its own."""
