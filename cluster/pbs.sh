#!/bin/bash
# One evenkeel process on each node of the allocation; it uses all cores that it gets there.
#
#   qsub -v JOB=job.toml cluster/pbs.sh
#
# The exit code is the verdict of the run. Shortly before the time is up nothing more is started.
# 4 says that the run can go on: qsub -v RUN=its-folder cluster/pbs.sh. If PBS itself runs the job
# again, it goes on by itself.
#PBS -N evenkeel
#PBS -l select=4:ncpus=32:mpiprocs=1
#PBS -l place=scatter:excl
#PBS -l walltime=01:00:00
#PBS -r y
#PBS -j oe
set -u
seconds=3600 # the walltime above

# The modules that evenkeel was built with, such as:
# module load openmpi

cd "$PBS_O_WORKDIR" || exit 3
run=${RUN:-evenkeel-runs/pbs-$PBS_JOBID}
if compgen -G "$run/journal.*" > /dev/null; then
    what=(--resume "$run")
else
    what=(${JOB:+"$JOB"} --run-dir "$run")
fi
# In their order: the first is this one, and with it the first rank has its launcher beside it.
mapfile -t hosts < <(awk '!seen[$0]++ { print $0 ":1" }' "$PBS_NODEFILE")
# What runs may finish between the first signal and the second.
warn=(timeout --foreground --preserve-status --signal=USR1)
"${warn[@]}" $((seconds - 60)) "${warn[@]}" $((seconds - 180)) \
    evenkeel launch -n ${#hosts[@]} --hosts "$(IFS=, && echo "${hosts[*]}")" run "${what[@]}"
