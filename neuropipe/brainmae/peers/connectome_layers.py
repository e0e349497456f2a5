"""Two small networks on connectivity matrices: convolutions over edges, attention over ROIs.

Axis legend: b matrices, n ROIs, c channels, d width, q clusters.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from neuropipe.brainmae.attention import SelfAttentionBlock

__all__ = ["BrainNetCNN", "EdgeToEdge", "GraphTransformer"]

_SLOPE = 0.33  # of leaky rectifiers, as in the paper's code


class EdgeToEdge(nn.Module):
    """Each edge becomes a weighted sum of the edges that share a ROI with it.

    ``H_c(i, j) = sum_k r_c(k) A(i, k) + sum_k s_c(k) A(k, j) + b_c``

    Parameters
    ----------
    n_rois, n_inputs, n_outputs : int
        Number of ROIs and of channels.

    Notes
    -----
    Kawahara et al. 2017, eq. 2.
    """

    def __init__(self, n_rois: int, n_inputs: int, n_outputs: int) -> None:
        super().__init__()
        self.rows = nn.Conv2d(n_inputs, n_outputs, (1, n_rois))
        self.columns = nn.Conv2d(n_inputs, n_outputs, (n_rois, 1), bias=False)

    def forward(self, matrices: Tensor) -> Tensor:
        """Map (b, c, n, n) to (b, c', n, n)."""
        out: Tensor = self.rows(matrices) + self.columns(matrices)
        return out


class BrainNetCNN(nn.Module):
    """Edge-to-edge, edge-to-node and node-to-graph convolutions, then a linear read-out.

    Parameters
    ----------
    n_rois, n_outputs : int
    n_edge, n_node, n_graph : int
        Channels of the three stages.
    dropout : float
        Of nodes' and of the graph's channels.

    Notes
    -----
    Kawahara et al. 2017, NeuroImage 146, 1038-1049, with one edge-to-edge layer and fewer channels.
    """

    def __init__(
        self,
        n_rois: int,
        n_outputs: int,
        *,
        n_edge: int = 8,
        n_node: int = 32,
        n_graph: int = 64,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.edge_to_edge = EdgeToEdge(n_rois, 1, n_edge)
        self.edge_to_node = nn.Conv2d(n_edge, n_node, (1, n_rois))
        self.node_to_graph = nn.Linear(n_node * n_rois, n_graph)
        self.out = nn.Linear(n_graph, n_outputs)
        self.dropout = dropout

    def forward(self, matrices: Tensor) -> Tensor:
        """Map (b, n, n) to (b, n_outputs)."""
        h = functional.leaky_relu(self.edge_to_edge(matrices[:, None]), _SLOPE)
        h = functional.leaky_relu(self.edge_to_node(h), _SLOPE).flatten(1)
        h = functional.dropout(h, self.dropout, self.training)
        h = functional.leaky_relu(self.node_to_graph(h), _SLOPE)
        out: Tensor = self.out(functional.dropout(h, self.dropout, self.training))
        return out


class GraphTransformer(nn.Module):
    """Transformer whose nodes carry their rows of the matrix, pooled softly into clusters.

    Parameters
    ----------
    n_rois, n_outputs : int
    width, n_heads, n_layers : int
    n_clusters : int
        Of the read-out.
    dropout : float

    Notes
    -----
    After Brain Network Transformer (Kan et al. 2022): a node joins each cluster by the softmax of
    its products with centres that start orthonormal. Here a node also has a learned code, and a
    cluster is the mean of its members: with sums, 150 steps taught it nothing.
    """

    def __init__(
        self,
        n_rois: int,
        n_outputs: int,
        *,
        width: int = 64,
        n_heads: int = 4,
        n_layers: int = 2,
        n_clusters: int = 8,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        self.input = nn.Linear(n_rois, width)
        self.node = nn.Parameter(torch.randn(n_rois, width))
        self.blocks = nn.ModuleList(
            SelfAttentionBlock(width, n_heads, 2, dropout) for _ in range(n_layers)
        )
        self.norm = nn.LayerNorm(width)
        self.centres = nn.Parameter(nn.init.orthogonal_(torch.empty(n_clusters, width)))
        self.out = nn.Linear(n_clusters * width, n_outputs)
        self.dropout = dropout

    def forward(self, matrices: Tensor) -> Tensor:
        """Map (b, n, n) to (b, n_outputs)."""
        h = self.input(matrices) + self.node
        for block in self.blocks:
            h = block(h)
        h = self.norm(h)
        membership = (h @ self.centres.T).softmax(dim=-1)
        pooled = membership.transpose(1, 2) @ h / membership.sum(1)[..., None]
        pooled = functional.dropout(pooled.flatten(1), self.dropout, self.training)
        out: Tensor = self.out(pooled)
        return out
