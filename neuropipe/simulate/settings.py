"""Settings of the generators, one model a kind; they stand under `settings:` of a simulated source.

Only pydantic is imported here: the workflow reads these models while it plans.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from neuropipe.simulate.settings_base import Simulation
from neuropipe.simulate.settings_stimuli import (
    RepresentationsSimulation,
    SpikesSimulation,
    VisionSimulation,
)


class FmriSimulation(Simulation):
    """Resting or task fMRI of subjects whose networks, states and labels are known."""

    n_subjects: int = Field(default=6, ge=1, le=10_000, description="subjects of the cohort")
    n_runs: int = Field(default=1, ge=1, le=9, description="runs a subject, same loadings")
    n_rois: int = Field(
        default=100, ge=20, le=400, description="parcels, shared out over 7 networks"
    )
    duration: float = Field(default=200.0, ge=20, le=7200, description="s a run")
    repetition_time: float = Field(default=1.0, ge=0.3, le=3.0, description="s between volumes")
    snr: float = Field(default=2.5, gt=0, le=1000, description="variance of signal over noise")
    noise: Literal["ar1", "matched"] = Field(
        default="ar1",
        description="ar1: correlated over `noise_time_constant`; matched: the signal's spectrum, "
        "so that smoothing over time alone gains nothing",
    )
    noise_time_constant: float = Field(default=0.8, gt=0, le=10, description="s, of AR(1) noise")
    subject_loading: float = Field(
        default=0.15, ge=0, le=1, description="sd of a subject's deviation of each loading"
    )
    delay_jitter: float = Field(default=0.5, ge=0, le=2, description="s, sd of delays over ROIs")
    switching: Literal["none", "covariance", "loadings"] = Field(
        default="covariance",
        description="none: one Gaussian process; covariance: between-network covariance changes "
        "with the state; loadings: sub-networks also change sign",
    )
    n_states: int = Field(default=5, ge=2, le=12, description="hidden states")
    n_subnetworks: int = Field(
        default=2, ge=2, le=6, description="parts of a network that change sign together"
    )
    dwell: tuple[float, float] = Field(
        default=(15.0, 45.0), description="s, range of a state's stay"
    )
    y_fc: float = Field(
        default=0.6, ge=0, le=3, description="amplitude of the edge pattern of label y_fc; 0: none"
    )
    y_dyn: Literal["none", "rate", "order"] = Field(
        default="none",
        description="what label y_dyn changes: rate (short or long dwells), order (cycle or its "
        "reverse); the time-averaged covariance is the same",
    )
    y_block: float = Field(
        default=0.8, ge=0, le=5, description="amplitude of label y_block within task blocks"
    )
    n_blocks: int = Field(default=0, ge=0, le=60, description="task blocks a run; 0: rest")
    block_duration: float = Field(default=30.0, ge=1, le=120, description="s")
    family_size: int = Field(default=2, ge=1, le=8, description="subjects that share loadings")
    family_share: float = Field(
        default=0.8, ge=0, le=1, description="share of a subject's deviation that its family has"
    )
    motion_spikes: int = Field(default=1, ge=0, le=50, description="head jerks a run")
    files: Literal["nifti", "timeseries"] = Field(
        default="nifti",
        description="fMRIPrep-like volumes, or ROI series named as XCP-D names them",
    )

    @model_validator(mode="after")
    def _consistent(self) -> FmriSimulation:
        low, high = self.dwell
        if not 2 <= low < high:
            raise ValueError("dwell is a range of at least 2 s, shortest first")
        if self.y_dyn != "none" and self.switching == "none":
            raise ValueError("y_dyn needs switching states")
        if self.y_dyn == "order" and self.n_states < 3:
            raise ValueError("two states have one order: y_dyn 'order' needs three or more")
        if self.motion_spikes > self.n_volumes - 4:
            raise ValueError("more head jerks than volumes")
        if self.n_blocks * self.block_duration * 2 > self.duration:
            raise ValueError("task blocks and the rest between them do not fit into the run")
        if self.n_volumes < 20:
            raise ValueError("the run is shorter than 20 volumes")
        self.refuse_absurd(self.n_subjects * self.n_runs * self.n_volumes * self.n_rois)
        return self

    @property
    def n_volumes(self) -> int:
        """Number of volumes a run."""
        return int(self.duration / self.repetition_time + 1e-9)

    @property
    def task(self) -> str:
        """Name of the task in file names."""
        return "blocks" if self.n_blocks else "rest"


class CalciumSimulation(Simulation):
    """Calcium imaging of animals whose neurons share names and regroup in every epoch."""

    n_animals: int = Field(default=10, ge=1, le=200, description="animals, one file each")
    n_neurons: int = Field(
        default=60, ge=4, le=2000, description="neurons with a name, present or missing"
    )
    duration: float = Field(default=240.0, ge=30, le=7200, description="s")
    sampling_rate: float = Field(default=4.0, ge=0.5, le=50, description="Hz")
    missing: float = Field(
        default=0.2, ge=0, le=0.9, description="share of the neurons missing in each animal"
    )
    design: Literal["epochs", "hub"] = Field(
        default="epochs",
        description="epochs: a new partition in each epoch; hub: one neuron drives a motif",
    )
    n_epochs: int = Field(default=3, ge=1, le=20, description="epochs of equal length")
    n_communities: int = Field(default=4, ge=1, le=40, description="communities an epoch")
    community_size: int = Field(default=9, ge=2, le=200, description="neurons a community")
    event_rate: float = Field(default=0.1, gt=0, le=1, description="Hz, events of a community")
    private_rate: float = Field(default=0.2, ge=0, le=2, description="Hz, a neuron's own events")
    shared_events: float = Field(
        default=0.7, ge=0, le=1, description="share of events at the same time in all animals"
    )
    last_epoch_share: float = Field(
        default=0.6, ge=0, le=1, description="share of animals that show the last epoch's motif"
    )
    epoch_order: Literal["fixed", "shuffled"] = Field(
        default="fixed", description="whether each animal meets the epochs in its own order"
    )
    decay: float = Field(default=3.0, gt=0, le=30, description="s, decay of the calcium transient")
    rise: float = Field(default=0.75, gt=0, le=10, description="s, its rise")
    gain: tuple[float, float] = Field(default=(0.6, 1.4), description="range of neurons' gains")
    noise: float = Field(default=0.3, ge=0, le=10, description="sd of white noise, dF/F")
    homologues: float = Field(
        default=0.0, ge=0, le=1,
        description="share of private events common to a left/right pair; above 0 neurons are "
        "named N01L, N01R, ...",
    )  # fmt: skip
    bleaching: float = Field(
        default=0.0, ge=0, lt=1, description="dF/F lost to bleaching over the recording"
    )
    unit: Literal["dff", "zscore"] = Field(default="dff", description="of the traces")

    @model_validator(mode="after")
    def _consistent(self) -> CalciumSimulation:
        if self.n_communities * self.community_size > self.n_neurons:
            raise ValueError("the communities hold more neurons than there are")
        if not 0 < self.gain[0] <= self.gain[1]:
            raise ValueError("gain is a range of positive numbers, smallest first")
        if self.rise >= self.decay:
            raise ValueError("the calcium transient rises slower than it decays")
        if self.homologues and self.n_neurons % 2:
            raise ValueError("left/right pairs need an even number of neurons")
        if self.homologues and self.design == "hub":
            raise ValueError("the hub design has no left/right pairs")
        if self.n_samples < 4 * self.n_epochs:
            raise ValueError("fewer than four samples an epoch")
        if self.n_neurons - round(self.missing * self.n_neurons) < 2:
            raise ValueError("fewer than two neurons remain in an animal")
        self.refuse_absurd(self.n_animals * self.n_samples * self.n_neurons)
        return self

    @property
    def n_samples(self) -> int:
        """Number of samples a trace."""
        return int(self.duration * self.sampling_rate + 1e-9)


class GraphSimulation(Simulation):
    """A weighted graph with planted communities (Lancichinetti & Fortunato 2009)."""

    n_nodes: int = Field(default=125, ge=10, le=5000, description="N")
    degree: float = Field(default=25.0, ge=1, description="k, mean number of neighbours")
    max_degree: int = Field(default=100, ge=2, description="maxk")
    mixing_topology: float = Field(
        default=0.5, ge=0, le=1, description="mut, share of a node's edges that leave its community"
    )
    mixing_weights: float = Field(
        default=0.5, ge=0, le=1, description="muw, share of a node's strength on those edges"
    )
    strength_exponent: float = Field(
        default=2.0, ge=0, le=4, description="beta: strength = degree ** beta"
    )
    degree_exponent: float = Field(default=2.0, gt=1, le=6, description="t1, of the degrees")
    size_exponent: float = Field(default=1.0, ge=0, le=6, description="t2, of community sizes")

    @model_validator(mode="after")
    def _consistent(self) -> GraphSimulation:
        if not self.degree < self.max_degree < self.n_nodes:
            raise ValueError("degree < max_degree < n_nodes does not hold")
        return self


#: Settings model by kind of simulation.
SIMULATIONS: dict[str, type[Simulation]] = {
    "fmri": FmriSimulation,
    "calcium": CalciumSimulation,
    "spikes": SpikesSimulation,
    "vision": VisionSimulation,
    "representations": RepresentationsSimulation,
}
