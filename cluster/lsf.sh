#!/bin/bash
# One evenkeel process on each host of the allocation; it uses all cores that it gets there.
#
#   JOB=job.toml bsub < cluster/lsf.sh
#
# The exit code is the verdict of the run. Shortly before the time is up nothing more is started.
# 4 says that the run can go on: RUN=its-folder bsub < cluster/lsf.sh. If LSF itself runs the job
# again, it goes on by itself.
#BSUB -J evenkeel
#BSUB -n 4
#BSUB -R "span[ptile=1]"
#BSUB -x
#BSUB -W 01:00
#BSUB -r
#BSUB -o evenkeel-%J.out
set -u
seconds=3600 # the time above

# The modules that evenkeel was built with, such as:
# module load openmpi

run=${RUN:-evenkeel-runs/lsf-$LSB_JOBID}
if compgen -G "$run/journal.*" > /dev/null; then
    what=(--resume "$run")
else
    what=(${JOB:+"$JOB"} --run-dir "$run")
fi
# In their order: the first is this one, and with it the first rank has its launcher beside it.
mapfile -t hosts < <(awk '!seen[$0]++ { print $0 ":1" }' "$LSB_DJOB_HOSTFILE")
# What runs may finish between the first signal and the second.
warn=(timeout --foreground --preserve-status --signal=USR1)
"${warn[@]}" $((seconds - 60)) "${warn[@]}" $((seconds - 180)) \
    evenkeel launch -n ${#hosts[@]} --hosts "$(IFS=, && echo "${hosts[*]}")" run "${what[@]}"
